import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import {
  compareHighWater,
  listGaps,
  parseHighWater,
  watermarkVerdict,
  WATERMARK_KINDS,
} from './watermark.ts';
import type { WatermarkKind } from './watermark.ts';

describe('a high-water mark', () => {
  it.each([
    ['date', '2025-12-12', '2025-12-12'],
    ['instant', '2025-12-12T10:00:00Z', '2025-12-12T10:00:00.000000Z'],
    ['instant', '2025-12-12T10:00:00.5+02:00', '2025-12-12T08:00:00.500000Z'],
    ['integer', '007', '7'],
    ['integer', '-0', '0'],
    ['integer', '123456789012345678901234567890', '123456789012345678901234567890'],
    ['text', ' as it is ', ' as it is '],
  ] as const)('of kind %s is spelt in one way: %s', (kind, text, canonical) => {
    expect(parseHighWater(kind, text)).toBe(canonical);
  });

  it.each([
    ['date', '2025-02-30'],
    ['date', '2025-12-12T00:00:00Z'],
    ['instant', '2025-12-12'],
    ['instant', '2025-02-30T10:00:00Z'],
    ['instant', '2025-12-12T24:00:00Z'],
    ['instant', '2025-12-12T10:00:00.1234567Z'],
    ['instant', '2025-12-12T10:00:00'],
    ['instant', '9999-12-31T23:59:59-01:00'],
    ['integer', '1.5'],
    ['integer', '1e3'],
    ['integer', ''],
    ['text', ''],
    ['text', 'a\0b'],
    ['text', 'x'.repeat(1_001)],
  ] as const)('of kind %s refuses %j, and says what is allowed', (kind, text) => {
    expect(() => parseHighWater(kind, text, 'cursor')).toThrow(ValidationError);
    expect(() => parseHighWater(kind, text, 'cursor')).toThrow(/^cursor: .*must be/);
  });

  it('is compared as what it is, not as text', () => {
    expect(compareHighWater('integer', '9', '10')).toBe(-1);
    expect(compareHighWater('integer', '-9', '-10')).toBe(1);
    expect(compareHighWater('text', '9', '10')).toBe(1);
    // U+FF5E is before U+1F600, whose first UTF-16 unit is smaller.
    expect(compareHighWater('text', '～', '😀')).toBe(-1);
  });

  it('goes forward only', () => {
    const at = (highWater: string) => ({ kind: 'date' as const, highWater });
    expect(watermarkVerdict(null, at('2025-12-12'))).toBe('advanced');
    expect(watermarkVerdict(at('2025-12-12'), at('2025-12-19'))).toBe('advanced');
    expect(watermarkVerdict(at('2025-12-12'), at('2025-12-12'))).toBe('unchanged');
    expect(watermarkVerdict(at('2025-12-12'), at('2025-12-05'))).toBe('behind');
    expect(() => watermarkVerdict(at('2025-12-12'), { kind: 'integer', highWater: '1' })).toThrow(
      'kind: is integer, but the watermark is of kind date',
    );
  });

  const marks: Readonly<Record<WatermarkKind, fc.Arbitrary<string>>> = {
    date: fc
      .date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
      .map((date) => date.toISOString().slice(0, 10)),
    instant: fc
      .date({ min: new Date('1970-01-01'), max: new Date('9999-12-31'), noInvalidDate: true })
      .map((date) => date.toISOString()),
    integer: fc.bigInt({ min: -(10n ** 60n), max: 10n ** 60n }).map(String),
    text: fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  };

  it.each(WATERMARK_KINDS)('of kind %s ends at the highest, whatever the order', (kind) => {
    fc.assert(
      fc.property(fc.array(marks[kind], { minLength: 1, maxLength: 20 }), (texts) => {
        const proposed = texts.map((text) => parseHighWater(kind, text));
        const last = proposed.reduce<string | null>((current, highWater) => {
          const standing = current === null ? null : { kind, highWater: current };
          return watermarkVerdict(standing, { kind, highWater }) === 'advanced' ? highWater : current;
        }, null);
        expect(proposed.every((mark) => compareHighWater(kind, mark, last ?? '') <= 0)).toBe(true);
        expect(proposed).toContain(last);
      }),
    );
  });
});

describe('gaps', () => {
  it('are what is expected and not there, once, in the expected order', () => {
    expect(listGaps(['AAPL', 'MSFT', 'GOOG', 'MSFT'], ['AAPL', 'TSLA'])).toEqual(['MSFT', 'GOOG']);
    expect(listGaps([], ['AAPL'])).toEqual([]);
  });
});
