import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findJsonProblems } from '../json/find-json-problems.ts';
import { toPlainJson } from './plain-json.ts';

describe('toPlainJson', () => {
  it('leaves JSON as it is', () => {
    const value = { a: [1, 'x', true, null], b: { c: -0.5 } };
    expect(toPlainJson(value)).toEqual(value);
  });

  it('shows what JSON has no place for as text', () => {
    expect(
      toPlainJson({
        when: new Date('2025-12-26T00:00:00Z'),
        never: new Date(Number.NaN),
        big: 10n,
        nan: Number.NaN,
        none: undefined,
        fn: () => 1,
        sym: Symbol('s'),
        error: new RangeError('out'),
        text: 'a\0',
      }),
    ).toEqual({
      when: '2025-12-26T00:00:00.000Z',
      never: '[invalid date]',
      big: '10',
      nan: 'NaN',
      none: null,
      fn: '[function]',
      sym: '[symbol]',
      error: { type: 'RangeError', message: 'out' },
      text: 'a\uFFFD',
    });
  });

  it('ends for cycles, but shows a value that merely appears twice', () => {
    const shared = { x: 1 };
    const value: Record<string, unknown> = { first: shared, second: shared };
    value['self'] = value;
    expect(toPlainJson(value)).toEqual({ first: { x: 1 }, second: { x: 1 }, self: '[cycle]' });
  });

  it('marks a getter that throws and goes on with its neighbours', () => {
    const value = {
      get bad(): string {
        throw new Error('no');
      },
      good: 1,
    };
    expect(toPlainJson(value)).toEqual({ bad: '[unreadable]', good: 1 });
  });

  it('bounds depth and size', () => {
    let deep: unknown = 'bottom';
    for (let level = 0; level < 10_000; level += 1) deep = [deep];
    expect(JSON.stringify(toPlainJson(deep))).toBe('[[[[[[[["[deeper]"]]]]]]]]');

    const wide = toPlainJson(Array.from({ length: 10_000 }, (_, index) => index));
    expect(wide).toHaveLength(500);
    expect(Array.isArray(wide) && wide.at(-1)).toBe('[cut]');
    expect(toPlainJson('x'.repeat(10_000))).toHaveLength(4_000);
  });

  it('gives JSON for anything', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSparseArray: true,
          withTypedArray: true,
        }),
        (value) => {
          const made = toPlainJson(value);
          expect(findJsonProblems(made).filter(({ code }) => code !== 'forbidden_key')).toEqual([]);
        },
      ),
    );
  });
});
