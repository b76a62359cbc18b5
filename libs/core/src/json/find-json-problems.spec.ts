import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { WeekEnding } from '../temporal/week-ending.ts';
import { findJsonProblems } from './find-json-problems.ts';

function problemsOf(value: unknown): [string, string][] {
  return findJsonProblems(value).map(({ field, code }) => [field, code]);
}

function fail(): never {
  throw new Error('a trap');
}

describe('findJsonProblems', () => {
  it.each([
    ['an object', { a: [1, 'x', true, null, { b: -0.5 }] }],
    ['an undefined property', { a: undefined }],
    ['a large number', { a: 1e300 }],
    ['an object without prototype', Object.assign(Object.create(null) as object, { a: 1 })],
    ['what toJSON gives', { week: WeekEnding.parse('2025-12-26'), at: new Date(0) }],
  ])('accepts %s', (_label, value) => {
    expect(problemsOf(value)).toEqual([]);
  });

  it('accepts a value that appears twice, as opposed to one inside itself', () => {
    const shared = { x: 1 };
    expect(problemsOf({ a: shared, b: [shared, shared] })).toEqual([]);
    const list: unknown[] = [];
    list.push({ again: list });
    expect(problemsOf({ list })).toEqual([['list[0].again', 'not_json']]);
  });

  it.each([
    ['undefined', undefined, '', 'not_json'],
    ['a BigInt', { a: [10n] }, 'a[0]', 'not_json'],
    ['a function', { a: () => 1 }, 'a', 'not_json'],
    ['a symbol', [Symbol('s')], '[0]', 'not_json'],
    ['undefined in an array', { a: [undefined] }, 'a[0]', 'not_json'],
    ['a hole', new Array<unknown>(1), '[0]', 'not_json'],
    ['a Map', { a: new Map() }, 'a', 'not_json'],
    ['an Error', new Error('x'), '', 'not_json'],
    ['NaN', { a: Number.NaN }, 'a', 'unsafe_number'],
    ['an infinity', [Number.NEGATIVE_INFINITY], '[0]', 'unsafe_number'],
    ['a NUL', { a: 'x\0' }, 'a', 'invalid_string'],
    ['a lone surrogate in a key', { '\uD800': 1 }, '["\uFFFD"]', 'invalid_string'],
    ['a constructor key', { a: { constructor: 1 } }, 'a.constructor', 'forbidden_key'],
    [
      'an own __proto__ key',
      JSON.parse('{"a":[{"__proto__":1}]}') as unknown,
      'a[0].__proto__',
      'forbidden_key',
    ],
    ['a bad toJSON', { a: { toJSON: () => 10n } }, 'a', 'not_json'],
    ['a throwing toJSON', { a: { toJSON: fail } }, 'a', 'not_json'],
  ])('finds %s', (_label, value, field, code) => {
    expect(problemsOf(value)).toEqual([[field, code]]);
  });

  it('marks what throws when read and goes on', () => {
    const value = Object.defineProperty({ z: 10n }, 'bad', { get: fail, enumerable: true });
    expect(problemsOf(value)).toEqual([
      ['z', 'not_json'],
      ['bad', 'not_json'],
    ]);
    expect(problemsOf([new Proxy({}, { ownKeys: fail })])).toEqual([['[0]', 'not_json']]);
  });

  it('allows 64 levels, refuses 65 and survives a million', () => {
    const nested = (levels: number): unknown => {
      let value: unknown = 1;
      for (let level = 0; level < levels; level += 1) value = [value];
      return value;
    };
    expect(problemsOf(nested(64))).toEqual([]);
    expect(problemsOf(nested(65))).toEqual([['[0]'.repeat(64), 'too_deep']]);
    expect(problemsOf(nested(1_000_000))).toEqual([['[0]'.repeat(64), 'too_deep']]);
  });

  it('stops at 20 problems', () => {
    expect(problemsOf(Array(1_000).fill(Number.NaN))).toHaveLength(20);
    expect(
      problemsOf(Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`k${i}\0`, 10n]))),
    ).toHaveLength(20);
  });

  it('lets pass only what JSON carries unchanged', () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSparseArray: true,
          withNullPrototype: true,
        }),
        (value) => {
          if (findJsonProblems(value).length > 0) return;
          const text = JSON.stringify(value);
          expect(JSON.stringify(JSON.parse(text))).toBe(text);
          expect(text).not.toMatch(/\\u0000|\\ud[89a-f]/);
        },
      ),
    );
  });
});
