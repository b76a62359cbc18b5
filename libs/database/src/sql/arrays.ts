/**
 * Array parameters as ready-made literals. The driver's own array encoder escapes element by element and was the
 * largest cost of a 500-row flush; here only text that can hold a quote is escaped.
 */

/** Elements that hold no quote, backslash, comma, brace or space by construction: uuids, numbers, enumerated words. */
export function plainArray(values: readonly (string | number | boolean | null)[]): string {
  return `{${values.map((value) => (value === null ? 'NULL' : String(value))).join(',')}}`;
}

const QUOTED = /["\\]/g;

/** Elements of any text. NUL is refused by Postgres itself; callers have checked for it. */
export function textArray(values: readonly (string | null)[]): string {
  let out = '{';
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    if (index > 0) out += ',';
    out += value === null || value === undefined ? 'NULL' : `"${value.replace(QUOTED, '\\$&')}"`;
  }
  return `${out}}`;
}
