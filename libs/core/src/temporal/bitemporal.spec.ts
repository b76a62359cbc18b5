import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import {
  recordAsOf,
  timeInterval,
  intervalsOverlap,
  planSupersede,
  supersede,
  systemInterval,
  validInterval,
} from './bitemporal.ts';
import type { BiTemporalChange, BiTemporalRecord } from './bitemporal.ts';

const day = (n: number): Date => new Date(Date.UTC(2025, 0, n));
const assertion = <T>(from: number, to: number | null, payload: T): BiTemporalChange<T> => ({
  type: 'assert',
  valid: timeInterval(day(from), to === null ? null : day(to)),
  payload,
});

describe('superseding', () => {
  it('closes what was believed and appends what is, so that both can be asked for', () => {
    const first = supersede([], assertion(1, null, 1.52), day(10));
    const both = supersede(first, assertion(1, null, 1.46), day(20));
    expect(both).toEqual([
      { validFrom: day(1), validTo: null, systemFrom: day(10), systemTo: day(20), version: 1, payload: 1.52 },
      { validFrom: day(1), validTo: null, systemFrom: day(20), systemTo: null, version: 2, payload: 1.46 },
    ]);
    expect(recordAsOf(both, day(5), day(15))?.payload).toBe(1.52);
    expect(recordAsOf(both, day(5), day(20))?.payload).toBe(1.46);
    expect(recordAsOf(both, day(5), day(9))).toBeNull();
  });

  it('of part of an interval keeps the rest of it', () => {
    const [record] = supersede([], assertion(1, 31, 'a'), day(40));
    if (record === undefined) throw new Error('nothing was appended');
    expect(planSupersede([record], assertion(10, 20, 'b'), Object.is)).toEqual({
      type: 'change',
      close: [record],
      append: [
        { type: 'kept', valid: { from: day(1), to: day(10) }, of: record },
        { type: 'asserted', valid: { from: day(10), to: day(20) }, payload: 'b' },
        { type: 'kept', valid: { from: day(20), to: day(31) }, of: record },
      ],
    });
  });

  it('leaves closed records and those that only touch the interval alone', () => {
    const history = supersede(supersede([], assertion(1, 5, 'a'), day(40)), assertion(1, 5, 'b'), day(41));
    expect(planSupersede(history, assertion(5, 9, 'c'), Object.is)).toMatchObject({ close: [] });
  });

  it('changes nothing when exactly that is believed, in one piece or in several', () => {
    const whole = supersede([], assertion(1, 9, 'a'), day(40));
    expect(supersede(whole, assertion(2, 8, 'a'), day(41))).toBe(whole);
    const pieces = supersede(supersede(whole, assertion(4, 5, 'b'), day(41)), assertion(4, 5, 'a'), day(42));
    expect(planSupersede(pieces, assertion(1, 9, 'a'), Object.is)).toEqual({ type: 'unchanged' });
    expect(planSupersede(pieces, assertion(1, 10, 'a'), Object.is).type).toBe('change');
    expect(planSupersede(pieces, assertion(1, null, 'a'), Object.is).type).toBe('change');
    expect(planSupersede(whole, { type: 'retract', valid: timeInterval(day(9), null) }, Object.is).type).toBe(
      'unchanged',
    );
  });

  it('at an instant that is not later than the last change is refused', () => {
    const history = supersede([], assertion(1, null, 'a'), day(10));
    for (const when of [day(9), day(10)]) {
      expect(() => supersede(history, assertion(1, null, 'b'), when)).toThrow(ValidationError);
    }
  });
});

it.each([
  [new Date('x'), null, 'valid_from'],
  [day(1), new Date('x'), 'valid_to'],
  [day(2), day(2), 'valid_to'],
  [day(2), day(1), 'valid_to'],
])('an interval from %s to %s is refused for %s', (from, to, field) => {
  expect(() => timeInterval(from, to)).toThrow(
    expect.objectContaining({ issues: [expect.objectContaining({ field, code: 'invalid_interval' })] }),
  );
});

const SPAN = 12;
const changes = fc.array(
  fc.record({
    from: fc.integer({ min: 0, max: SPAN - 1 }),
    length: fc.option(fc.integer({ min: 1, max: SPAN }), { nil: null }),
    payload: fc.option(fc.integer({ min: 0, max: 3 }), { nil: null }),
  }),
  { maxLength: 12 },
);

describe('any sequence of changes', () => {
  it('answers on both axes as a table of every day does, and believes one thing at a time', () => {
    fc.assert(
      fc.property(changes, (sequence) => {
        let history: readonly BiTemporalRecord<number>[] = [];
        // What is believed of each day, after each change.
        const tables: (number | null)[][] = [];
        let believed: (number | null)[] = Array.from({ length: SPAN * 2 + 1 }, () => null);
        sequence.forEach(({ from, length, payload }, index) => {
          const to = length === null ? null : from + length;
          const valid = timeInterval(day(from), to === null ? null : day(to));
          const change =
            payload === null ? ({ type: 'retract', valid } as const) : assertion(from, to, payload);
          history = supersede(history, change, day(100 + index));
          believed = believed.map((old, at) => (at >= from && (to === null || at < to) ? payload : old));
          tables.push(believed);
        });
        tables.forEach((table, index) => {
          const seen = table.map((_, at) => recordAsOf(history, day(at), day(100 + index))?.payload ?? null);
          expect(seen).toEqual(table);
        });
        for (const [index, a] of history.entries()) {
          for (const b of history.slice(index + 1)) {
            const both =
              intervalsOverlap(validInterval(a), validInterval(b)) &&
              intervalsOverlap(systemInterval(a), systemInterval(b));
            expect(both).toBe(false);
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});
