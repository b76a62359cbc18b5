import fc from 'fast-check';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { v7 } from 'uuid';
import { ValidationError } from './errors/permanent.ts';
import { isUuid, newEventId, newId, newRunId, newWorkerId, parseRunId, uuidV7LowerBound } from './ids.ts';

const SAMPLE = '0190a8f2-3c4d-7abc-8def-0123456789ab';

afterEach(() => vi.useRealTimers());

describe('ids', () => {
  it('are canonical UUIDs of version 7, different and growing', () => {
    const ids = Array.from({ length: 5_000 }, () => newRunId());
    expect(new Set(ids).size).toBe(ids.length);
    expect([...ids].sort()).toEqual(ids);
    for (const id of [newId(), newWorkerId(), newEventId(), ...ids.slice(0, 10)]) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(isUuid(id)).toBe(true);
    }
  });

  it('begin with the millisecond of the clock and end in 42 random bits', () => {
    const before = Date.now();
    const ids = Array.from({ length: 1_000 }, () => newId());
    expect(ids.every((id) => id >= uuidV7LowerBound(new Date(before)))).toBe(true);
    expect(ids.every((id) => id < uuidV7LowerBound(new Date(Date.now() + 1)))).toBe(true);
    expect(new Set(ids.map((id) => id.slice(-10))).size).toBe(ids.length);
    for (const digits of [-11, -10, -1]) {
      const seen = new Set(ids.map((id) => id.at(digits)));
      expect(seen.size).toBe(16);
    }
  });

  it('go on growing within a millisecond and when the clock is set back', () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const later = new Date(Date.now() + 60_000);
    vi.setSystemTime(later);
    const ids = [newId(), newId()];
    vi.setSystemTime(later.getTime() - 30_000);
    ids.push(newId(), newId());
    expect(ids.toSorted()).toEqual(ids);
    expect(new Set(ids.map((id) => id.slice(0, 13)))).toEqual(
      new Set([uuidV7LowerBound(later).slice(0, 13)]),
    );
    vi.setSystemTime(later.getTime() + 1);
    expect(newId().slice(0, 13)).toBe(uuidV7LowerBound(new Date(later.getTime() + 1)).slice(0, 13));
  });

  it('parses its own spelling', () => {
    expect(parseRunId(SAMPLE)).toBe(SAMPLE);
  });

  it.each([
    '',
    SAMPLE.toUpperCase(),
    `{${SAMPLE}}`,
    `${SAMPLE}\n`,
    ` ${SAMPLE}`,
    SAMPLE.replaceAll('-', ''),
    SAMPLE.slice(0, -1),
    `${SAMPLE}0`,
    SAMPLE.replace('a', 'g'),
    null,
    undefined,
    7,
    [SAMPLE],
  ])('refuses %j', (text) => {
    expect(parseRunId(text)).toBeNull();
    expect(isUuid(text)).toBe(false);
  });
});

describe('uuidV7LowerBound', () => {
  const milliseconds = fc.integer({ min: 0, max: 2 ** 48 - 1 });

  it('is what the layout of RFC 9562 gives', () => {
    expect(uuidV7LowerBound(new Date(0))).toBe('00000000-0000-7000-8000-000000000000');
    expect(uuidV7LowerBound(new Date(0x0190a8f23c4d))).toBe('0190a8f2-3c4d-7000-8000-000000000000');
  });

  it('is the smallest id the generator can make in that millisecond', () => {
    fc.assert(
      fc.property(milliseconds, (msecs) => {
        expect(uuidV7LowerBound(new Date(msecs))).toBe(v7({ msecs, seq: 0, random: new Uint8Array(16) }));
      }),
    );
  });

  it('lies between the ids before and from that millisecond on', () => {
    fc.assert(
      fc.property(milliseconds, fc.uint8Array({ minLength: 16, maxLength: 16 }), (msecs, random) => {
        const bound = uuidV7LowerBound(new Date(msecs));
        expect(v7({ msecs, random }) >= bound).toBe(true);
        if (msecs > 0) expect(v7({ msecs: msecs - 1, random }) < bound).toBe(true);
      }),
    );
  });

  it.each([new Date(Number.NaN), new Date(-1), new Date(2 ** 48)])(
    'refuses an instant no id can have',
    (instant) => {
      expect(() => uuidV7LowerBound(instant)).toThrow(ValidationError);
    },
  );
});
