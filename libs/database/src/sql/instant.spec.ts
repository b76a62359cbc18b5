import fc from 'fast-check';
import pg from 'pg';
import { describe, expect, it } from 'vitest';
import { parseInstant } from './instant.ts';

function driver(text: string): unknown {
  const parse: unknown = pg.types.getTypeParser(1184);
  return typeof parse === 'function' ? Reflect.apply(parse, null, [text]) : undefined;
}

describe('an instant as Postgres writes it', () => {
  it('is what the driver reads, to whatever digit it is written', () => {
    const when = fc.date({
      min: new Date('0100-01-01T00:00:00Z'),
      max: new Date('9999-12-31T23:59:59Z'),
      noInvalidDate: true,
    });
    fc.assert(
      fc.property(when, fc.stringMatching(/^(\.\d{1,6})?$/), (date, fraction) => {
        const text = `${date.toISOString().slice(0, 19).replace('T', ' ')}${fraction}+00`;
        expect(parseInstant(text)).toEqual(driver(text));
      }),
    );
  });

  it.each([
    '2026-11-22 02:27:14+05:30',
    '2026-11-22 02:27:14.5-08',
    '12026-11-22 02:27:14+00',
    '0044-03-15 12:00:00+00 BC',
    '0044-03-15 12:00:00+00',
    'infinity',
    '-infinity',
  ])('%s is what the driver reads', (text) => {
    expect(parseInstant(text)).toEqual(driver(text));
  });
});
