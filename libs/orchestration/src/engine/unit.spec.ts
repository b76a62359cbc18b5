import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseTimer, parseUnit, TIMER_KINDS, timerKey, unitKey } from './unit.ts';
import type { Unit } from './unit.ts';

const step = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,20}$/);
const units: fc.Arbitrary<Unit> = fc.oneof(
  fc.record({ type: fc.constant('step' as const), step }),
  fc.record({ type: fc.constant('item' as const), step, index: fc.nat(99_999) }),
  fc.record({ type: fc.constant('undo' as const), step }),
  fc.constant<Unit>({ type: 'on_failure' }),
);

describe('the key of a unit', () => {
  it('reads back as the unit, and so does that of a timer', () => {
    fc.assert(
      fc.property(units, fc.nat(9_999), fc.constantFrom(...TIMER_KINDS), (unit, attempt, kind) => {
        expect(parseUnit(unitKey(unit))).toEqual(unit);
        expect(parseTimer(timerKey(unitKey(unit), attempt, kind))).toEqual({ unit, attempt, kind });
      }),
    );
  });

  it.each(['', 'a b', 'a[', 'a[-1]', 'a[01]', '!spawn:x', 'a!undone', '__proto__'])('is not %j', (key) => {
    expect(parseUnit(key)).toBeNull();
    expect(parseTimer(`${key}#1:retry`)).toBeNull();
  });
});
