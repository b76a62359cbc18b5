import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValidationError } from '../errors/permanent.ts';
import { Decimal, isDecimalText, parseDecimal, roundDecimal, sumDecimals } from './decimal.ts';
import { ratio } from './rational.ts';

/** Any number `parseDecimal` takes, as a scaled integer. */
const scaled = fc.record({
  digits: fc.bigInt({ min: -(10n ** 20n), max: 10n ** 20n }),
  places: fc.integer({ min: 0, max: 12 }),
});
const decimalOf = ({ digits, places }: { digits: bigint; places: number }): Decimal =>
  new Decimal(`${digits}e-${places}`);

describe('parseDecimal', () => {
  it.each([
    ['0', '0'],
    ['-0', '0'],
    ['-0.00', '0'],
    ['+12.50', '12.5'],
    ['007', '7'],
    ['0.1', '0.1'],
    ['9999999999999999999999999999999999999999', '9999999999999999999999999999999999999999'],
    ['-0.000000000000000000000000000000000000001', '-0.000000000000000000000000000000000000001'],
  ])('reads %s as %s', (text, plain) => {
    expect(parseDecimal(text).toString()).toBe(plain);
  });

  it.each([
    '',
    ' 1',
    '1 ',
    '1e5',
    '1.',
    '.5',
    '0x10',
    '1,000',
    '--1',
    'NaN',
    'Infinity',
    '1_000',
    '١',
    '1\n',
  ])('refuses %j, naming the field and the value', (text) => {
    expect(isDecimalText(text)).toBe(false);
    expect(() => parseDecimal(text, 'shares')).toThrow(ValidationError);
    expect(() => parseDecimal(text, 'shares')).toThrow(`shares: ${JSON.stringify(text)} is not a decimal`);
  });

  it('refuses one digit more than fits, and names no more than the beginning of a long text', () => {
    expect(isDecimalText('1'.repeat(40))).toBe(true);
    expect(isDecimalText(`-${'1'.repeat(39)}.1`)).toBe(true);
    expect(isDecimalText('1'.repeat(41))).toBe(false);
    expect(() => parseDecimal('1'.repeat(10_000))).toThrow(/^.{0,250}$/);
  });

  it('gives back what it was written from', () => {
    fc.assert(
      fc.property(scaled, (number) => {
        const value = decimalOf(number);
        expect(parseDecimal(value.toString()).eq(value)).toBe(true);
      }),
    );
  });
});

describe('decimal arithmetic', () => {
  it('is exact where floats are not', () => {
    expect(sumDecimals(['0.1', '0.2'].map((text) => parseDecimal(text))).toString()).toBe('0.3');
    expect(
      parseDecimal('1234567890123456789012345').times(parseDecimal('1234567890123456789012345')).toString(),
    ).toBe((1234567890123456789012345n ** 2n).toString());
  });

  it('rounds ties to the even neighbour', () => {
    const rounded = ['0.5', '1.5', '2.5', '-0.5', '-1.5', '2.51'].map((text) =>
      roundDecimal(parseDecimal(text), 0).toNumber(),
    );
    expect(rounded).toEqual([0, 2, 2, -0, -2, 3]);
  });

  it('divides to the places asked for, and has no ratio to zero', () => {
    expect(ratio(parseDecimal('2'), parseDecimal('3'), 6)?.toString()).toBe('0.666667');
    expect(ratio(parseDecimal('2'), parseDecimal('0.00'), 6)).toBeNull();
    // 2e-52 below a tie: 50 digits show the tie itself, which would be rounded up to even.
    const [n, d] = ['23404255319150000000000000000000000011', '100000000000000000000000000000000000047'];
    expect(new Decimal(n).div(d).toDecimalPlaces(12).toString()).toBe('0.234042553192');
    expect(ratio(parseDecimal(n), parseDecimal(d), 12)?.toString()).toBe('0.234042553191');
    for (const places of [-1, 0.5, 41, Number.NaN]) {
      expect(() => ratio(parseDecimal('2'), parseDecimal('0'), places)).toThrow(ValidationError);
    }
  });

  it('sums exactly, in any order', () => {
    fc.assert(
      fc.property(fc.array(scaled, { maxLength: 20 }), (numbers) => {
        const exact = numbers.reduce(
          (sum, { digits, places }) => sum + digits * 10n ** BigInt(12 - places),
          0n,
        );
        const values = numbers.map(decimalOf);
        expect(sumDecimals(values).eq(new Decimal(`${exact}e-12`))).toBe(true);
        expect(sumDecimals(values.toReversed()).eq(sumDecimals(values))).toBe(true);
      }),
    );
  });

  it('refuses a sum that it would have to round', () => {
    const far = [new Decimal('1e40'), new Decimal('1e-20')];
    expect(
      new Decimal(0)
        .plus(far[0] ?? 0)
        .plus(far[1] ?? 0)
        .eq('1e40'),
    ).toBe(true);
    expect(() => sumDecimals(far)).toThrow(ValidationError);
    expect(() => sumDecimals([new Decimal(Number.NaN)])).toThrow(ValidationError);
    expect(() => sumDecimals([new Decimal(Infinity)])).toThrow(ValidationError);
  });
});
