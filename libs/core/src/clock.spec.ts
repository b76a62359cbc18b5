import { describe, expect, it } from 'vitest';
import { FixedClock, ManualClock, systemClock } from './clock.ts';
import { ValidationError } from './errors/permanent.ts';

const NOON = '2025-12-26T12:00:00.000Z';

describe('clocks', () => {
  it('read the machine, stand still, or move when told', () => {
    const before = Date.now();
    const now = systemClock.now().getTime();
    expect(now >= before && now <= Date.now()).toBe(true);

    expect(new FixedClock(NOON).now().toISOString()).toBe(NOON);

    const manual = new ManualClock(new Date(NOON));
    expect(manual.advance(1_500).toISOString()).toBe('2025-12-26T12:00:01.500Z');
    expect(manual.now().toISOString()).toBe('2025-12-26T12:00:01.500Z');
    expect(manual.set(NOON).toISOString()).toBe(NOON);
  });

  it('hand out dates of the caller', () => {
    const start = new Date(NOON);
    for (const clock of [new FixedClock(start), new ManualClock(start)]) {
      clock.now().setUTCFullYear(1999);
      start.setUTCFullYear(1998);
      expect(clock.now().toISOString()).toBe(NOON);
      start.setTime(Date.parse(NOON));
    }
  });

  it.each(['', 'noon', '2025-12-26', '2025-12-26T12:00:00', new Date(Number.NaN)])(
    'refuse %j: not an instant, or one that depends on the zone of the machine',
    (instant) => {
      expect(() => new FixedClock(instant)).toThrow(ValidationError);
      expect(() => new ManualClock(instant)).toThrow(ValidationError);
    },
  );

  it.each([-1, Number.NaN])('do not advance by %s', (milliseconds) => {
    const clock = new ManualClock(NOON);
    expect(() => clock.advance(milliseconds)).toThrow(ValidationError);
    expect(clock.now().toISOString()).toBe(NOON);
  });
});
