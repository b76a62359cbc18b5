import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LIMITS } from '../spec/limits.ts';
import { encodeResult } from './result.ts';

/** The JSON text, or the refusal. */
function encoded(value: unknown): string | null {
  const result = encodeResult(value);
  return result.isOk() ? result.value : `refused: ${result.error.message}`;
}

describe('a result', () => {
  it('is none, or its JSON', () => {
    expect(encoded(undefined)).toBeNull();
    expect(encoded(null)).toBeNull();
    expect(encoded({ a: [1, 'x', null], gone: undefined })).toBe('{"a":[1,"x",null]}');
    expect(encoded(false)).toBe('false');
    expect(encoded(0)).toBe('0');
    expect(encoded('')).toBe('""');
    expect(encoded({ at: new Date('2026-01-02T03:04:05Z') })).toBe('{"at":"2026-01-02T03:04:05.000Z"}');
  });

  it.each<[string, unknown]>([
    ['a BigInt', { n: 1n }],
    ['a NUL', { text: 'a\0b' }],
    ['a NUL in a key', { 'a\0b': 1 }],
    ['a lone high surrogate', ['\ud800']],
    ['a lone low surrogate', ['\udc00 ']],
    ['a function', () => 1],
    ['a symbol', Symbol('s')],
    [
      'a toJSON that throws',
      {
        toJSON: () => {
          throw new Error('not today');
        },
      },
    ],
    ['a toJSON that says nothing', { toJSON: () => undefined }],
    ['too much', 'x'.repeat(LIMITS.payloadBytes)],
    ['too many bytes', '語'.repeat(LIMITS.payloadBytes / 3)],
    ['an endless nest', Array.from({ length: 5_000 }).reduce<unknown>((inner) => [inner], [])],
    ['an array of NULs far in', ['x'.repeat(5_000), '\0']],
    ['NaN', { ratio: NaN }],
    ['NaN alone', NaN],
    ['Infinity', [1, [Infinity]]],
    ['a number that is not finite in an answer of toJSON', { toJSON: () => ({ n: -Infinity }) }],
    ['an own key __proto__', JSON.parse('{"__proto__":{"admin":true}}')],
    ['a key constructor far in', [{ a: { constructor: 1 } }]],
    ['65 levels', Array.from({ length: 65 }).reduce<unknown>((inner) => [inner], null)],
    ['65 levels, short ones among them', JSON.parse('{"a":'.repeat(65) + '1' + '}'.repeat(65))],
  ])('that holds %s is refused as the handler’s own permanent fault', (_, value) => {
    const result = encodeResult(value);
    expect(result.isErr() && result.error).toMatchObject({
      name: 'ValidationError',
      retryable: false,
      message: expect.stringMatching(/^the handler's result cannot be stored: ./) as string,
    });
  });

  it('that holds itself is refused', () => {
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(encoded(cycle)).toContain('refused');
  });

  it('that holds a number that is not finite is told which', () => {
    expect(encoded({ rows: 1, ratio: NaN })).toBe(
      'refused: the handler\'s result cannot be stored: "ratio" is NaN, which is no JSON number',
    );
  });

  it('is bounded by what its deployment allows', () => {
    expect(encodeResult('x'.repeat(98), 100).isOk()).toBe(true);
    expect(encodeResult('x'.repeat(99), 100).isErr()).toBe(true);
    expect(encodeResult('語'.repeat(33), 100).isErr()).toBe(true);
  });

  it('may nest 64 levels, and hold nulls', () => {
    const nested = Array.from({ length: 63 }).reduce<unknown>((inner) => [inner], [null]);
    expect(encoded(nested)).toBe(JSON.stringify(nested));
    expect(encoded([null, undefined])).toBe('[null,null]');
  });

  it('may be as large as allowed', () => {
    expect(encoded('x'.repeat(LIMITS.payloadBytes - 2))).toHaveLength(LIMITS.payloadBytes);
  });

  it('may hold what only looks like a NUL or a surrogate', () => {
    expect(encoded('\\u0000 \\ud800')).toBe(JSON.stringify('\\u0000 \\ud800'));
    expect(encoded('😀')).toBe('"😀"');
  });

  it('reads back as JSON would, whatever JSON it is', () => {
    fc.assert(
      fc.property(fc.jsonValue({ stringUnit: 'grapheme' }), (value) => {
        const result = encodeResult(value);
        // The one thing JSON can carry that is refused.
        fc.pre(!/"(?:__proto__|constructor|prototype)":/.test(JSON.stringify(value)));
        expect(result.isOk()).toBe(true);
        const text = result.isOk() ? result.value : null;
        expect(text === null ? null : JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });
});
