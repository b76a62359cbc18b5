import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from './errors/permanent.ts';
import { parseDecimal } from './finance/decimal.ts';
import { hashContent, hashFields, hashJson, hashRecord, sha256Hex } from './hashing.ts';
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

describe('hashes of records', () => {
  const row = {
    week_ending: '2025-12-26',
    tier: 'OTC',
    symbol: 'AAPL',
    shares: '100',
    run_id: 'a',
    captured_at: 1,
  };

  it('take the fields asked for, in any order, with their names', () => {
    const key = ['week_ending', 'tier', 'symbol'];
    expect(hashFields(row, key)).toBe(hashFields({ ...row, shares: '200' }, key.toReversed()));
    expect(hashFields(row, key)).not.toBe(hashFields({ ...row, tier: 'NMS_TIER_1' }, key));
    expect(hashFields({ a: 1, b: 2 }, ['a', 'b'])).not.toBe(hashFields({ a: 2, b: 1 }, ['a', 'b']));
    expect(hashFields(row, key)).toBe(hashJson({ symbol: 'AAPL', tier: 'OTC', week_ending: '2025-12-26' }));
  });

  it('leave out who wrote a row and when, and nothing else', () => {
    expect(hashContent({ ...row, run_id: 'b', captured_at: 2 })).toBe(hashContent(row));
    expect(hashContent({ ...row, shares: '101' })).not.toBe(hashContent(row));
    expect(hashContent(row, ['shares'])).not.toBe(hashContent({ ...row, run_id: 'b' }, ['shares']));
  });

  it('take exact amounts and instants', () => {
    const amount = (text: string): string => hashContent({ amount: parseDecimal(text), at: new Date(0) });
    expect(amount('1.50')).toBe(amount('1.5'));
    expect(amount('1.5')).not.toBe(amount('1.51'));
  });

  it('refuse what would make different rows look the same', () => {
    expect(() => hashFields(row, [])).toThrow('there are none to hash');
    expect(() => hashFields(row, ['tier', 'venue'])).toThrow('venue: the record has no such field');
    expect(() => hashFields(row, ['toString'])).toThrow(ValidationError);
    expect(() => hashFields({ a: undefined }, ['a'])).toThrow(ValidationError);
    expect(() => hashContent({ run_id: 'a' })).toThrow(ValidationError);
  });
});
