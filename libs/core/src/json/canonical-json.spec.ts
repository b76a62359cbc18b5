import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { canonicalJson } from './canonical-json.ts';

describe('canonicalJson', () => {
  it('gives the text of RFC 8785, section 3.2.4', () => {
    // As text: the numbers are spelled in ways that a source file may not spell them.
    const value: unknown = JSON.parse(String.raw`{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }`);
    expect(canonicalJson(value)).toBe(
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],' +
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}',
    );
  });

  it('sorts keys by UTF-16 code units, as in RFC 8785, section 3.2.3', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect(Object.values(JSON.parse(canonicalJson(value)) as object)).toEqual([4, 2, 6, 7, 1, 5, 3]);
    expect(canonicalJson({ b: 1, B: 2, a: 3, 10: 4, 9: 5 })).toBe('{"10":4,"9":5,"B":2,"a":3,"b":1}');
  });

  it('writes -0 as 0 and leaves undefined properties out', () => {
    expect(canonicalJson([-0])).toBe('[0]');
    expect(canonicalJson({ a: undefined, b: { c: undefined } })).toBe('{"b":{}}');
  });

  it('counts own properties only and follows toJSON', () => {
    const base = Object.assign(Object.create(null) as object, { inherited: 1 });
    expect(canonicalJson(Object.assign(Object.create(base) as object, { own: 1 }))).toBe('{"own":1}');
    expect(canonicalJson({ at: new Date(0) })).toBe('{"at":"1970-01-01T00:00:00.000Z"}');
    expect(canonicalJson(JSON.parse('{"__proto__":1}'))).toBe('{"__proto__":1}');
  });

  it.each([
    ['undefined', undefined, ''],
    ['NaN', { a: Number.NaN }, 'a'],
    ['an infinity', { a: [1, Number.POSITIVE_INFINITY] }, 'a[1]'],
    ['a BigInt', 1n, ''],
    ['a function', { f: () => 1 }, 'f'],
    ['a symbol', [Symbol('s')], '[0]'],
    ['undefined in an array', [undefined], '[0]'],
    ['a hole', new Array<unknown>(1), '[0]'],
    ['a Map', { m: new Map([['a', 1]]) }, 'm'],
    ['a lone surrogate', { a: '\uD800' }, 'a'],
    ['a lone surrogate in a key', { '\uD800': 1 }, '["\uFFFD"]'],
  ])('refuses %s and says where', (_label, value, field) => {
    let thrown: unknown;
    try {
      canonicalJson(value);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(ValidationError);
    expect(thrown).toMatchObject({ issues: [{ field, code: 'not_canonical' }] });
  });

  it('refuses cycles but not repeats', () => {
    const shared = { x: 1 };
    expect(canonicalJson([shared, shared])).toBe('[{"x":1},{"x":1}]');
    const cycle: Record<string, unknown> = {};
    cycle['self'] = cycle;
    expect(() => canonicalJson(cycle)).toThrow(ValidationError);
  });

  it('refuses more than 64 levels', () => {
    const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));
    expect(canonicalJson(nested(64))).toBe('['.repeat(64) + ']'.repeat(64));
    expect(() => canonicalJson(nested(65))).toThrow(ValidationError);
    expect(() => canonicalJson(nested(100_000))).toThrow(ValidationError);
  });

  it('means the same value, does not depend on key order, and is its own canonical form', () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, member]) => [key, reversed(member)]),
      );
    };
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = canonicalJson(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(canonicalJson(reversed(value))).toBe(text);
        expect(canonicalJson(JSON.parse(text))).toBe(text);
      }),
    );
  });
});
