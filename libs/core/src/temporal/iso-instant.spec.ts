import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isoInstant } from './iso-instant.ts';

describe('an instant as JSON carries it', () => {
  it('is what toISOString answers, whatever was asked before', () => {
    const any = fc.date({ noInvalidDate: true });
    const near = fc.integer({ min: -200_000_000, max: 200_000_000 }).map((offset) => new Date(offset));
    fc.assert(
      fc.property(fc.array(fc.oneof(any, near), { minLength: 1 }), (instants) => {
        expect(instants.map(isoInstant)).toEqual(instants.map((instant) => instant.toISOString()));
      }),
    );
  });

  it('is none for an invalid date, also twice', () => {
    const invalid = new Date(Number.NaN);
    expect(() => isoInstant(invalid)).toThrow(RangeError);
    expect(() => isoInstant(invalid)).toThrow(RangeError);
  });
});
