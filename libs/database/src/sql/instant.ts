/** Instants as Postgres writes them. */
import pg from 'pg';

const TIMESTAMPTZ_OID = 1184;
const SPACE = 32;
const DOT = 46;
const ZERO = 48;
/** Of `2026-11-22 02:27:14`. */
const SECONDS_END = 19;

function parseAny(text: string): unknown {
  const parse: unknown = pg.types.getTypeParser(TIMESTAMPTZ_OID);
  if (typeof parse !== 'function') throw new TypeError('the driver reads no instants');
  return Reflect.apply(parse, null, [text]);
}

function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let index = from; index < to; index += 1) value = value * 10 + text.charCodeAt(index) - ZERO;
  return value;
}

/**
 * A timestamptz in the form that connections in UTC get, `2026-11-22 02:27:14.116864+00`, cut to milliseconds; every other form
 * is left to the driver, which takes five times as long. Rows of runs have up to eight of them.
 */
export function parseInstant(text: string): unknown {
  const end = text.length - 3;
  if (end < SECONDS_END || text.charCodeAt(10) !== SPACE || !text.endsWith('+00')) return parseAny(text);
  // Date.UTC takes the years before 100 for those of the last century.
  if (text.charCodeAt(0) === ZERO) return parseAny(text);
  let milliseconds = 0;
  if (end > SECONDS_END) {
    if (text.charCodeAt(SECONDS_END) !== DOT) return parseAny(text);
    const until = Math.min(end, SECONDS_END + 4);
    milliseconds = digits(text, SECONDS_END + 1, until) * 10 ** (SECONDS_END + 4 - until);
  }
  return new Date(
    Date.UTC(
      digits(text, 0, 4),
      digits(text, 5, 7) - 1,
      digits(text, 8, 10),
      digits(text, 11, 13),
      digits(text, 14, 16),
      digits(text, 17, 19),
      milliseconds,
    ),
  );
}
