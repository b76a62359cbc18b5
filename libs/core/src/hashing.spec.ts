import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from './errors/permanent.ts';
import { hashJson, hashRecord, sha256Hex } from './hashing.ts';
import { canonicalJson } from './json/canonical-json.ts';

const field = fc.oneof(
  fc.string({ unit: fc.constantFrom('a', '1', ',', '"', '[', '\\', '\0', '|', '😀') }),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.integer(),
  fc.constant(null),
);

describe('sha256Hex', () => {
  it('gives the digests of FIPS 180-4', () => {
    expect(sha256Hex('')).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
    expect(sha256Hex('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  });

  it('hashes text as UTF-8', () => {
    expect(sha256Hex('é😀')).toBe(sha256Hex(new TextEncoder().encode('é😀')));
  });
});

describe('hashRecord', () => {
  it('is the hash of the canonical JSON array', () => {
    expect(hashRecord(['ab', 1, null])).toBe(sha256Hex('["ab",1,null]'));
    fc.assert(
      fc.property(fc.array(field), (values) => {
        expect(hashRecord(values)).toBe(sha256Hex(canonicalJson(values)));
      }),
    );
  });

  it('keeps field borders and types apart', () => {
    const rows = [
      ['ab', 'c'],
      ['a', 'bc'],
      ['abc'],
      ['a,b', 'c'],
      ['a', 'b', 'c'],
      [1],
      ['1'],
      [null],
      ['null'],
      [''],
      [],
    ];
    expect(new Set(rows.map((row) => hashRecord(row))).size).toBe(rows.length);
  });

  it('gives different rows different hashes and equal rows equal ones', () => {
    fc.assert(
      fc.property(fc.array(field), fc.array(field), (a, b) => {
        expect(hashRecord(a) === hashRecord(b)).toBe(canonicalJson(a) === canonicalJson(b));
      }),
    );
  });

  it('hashes text with lone surrogates without confusing them', () => {
    expect(hashRecord(['\uD800'])).not.toBe(hashRecord(['\uD801']));
  });

  it.each([[Number.NaN], [Number.POSITIVE_INFINITY], [undefined], [true], [1n], [{}]])(
    'refuses %s',
    (value) => {
      const row: unknown = ['ok', value];
      expect(() => hashRecord(row as string[])).toThrow(ValidationError);
      expect(() => hashRecord(row as string[])).toThrow(/^values\[1\]: /);
    },
  );
});

describe('hashJson', () => {
  it('does not depend on the order of keys', () => {
    expect(hashJson({ a: 1, b: [2] })).toBe(hashJson({ b: [2], a: 1 }));
    expect(hashJson({ a: 1, b: [2] })).toBe(sha256Hex('{"a":1,"b":[2]}'));
    expect(hashJson({ a: 1 })).not.toBe(hashJson({ a: '1' }));
  });
});
