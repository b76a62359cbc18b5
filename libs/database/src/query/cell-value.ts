/** Values of an answer as JSON can carry them: exactly, or as text. Pure. */
import { parseStrictJson } from '@spine/core';

/** Types whose values no JSON number carries in general: bigint, numeric, money. */
const EXACT_TYPES: ReadonlySet<number> = new Set([20, 1700, 790]);

/**
 * @param type of the column: its OID in `pg_type`
 * @param json what Postgres' `to_json` made of the value
 * @returns booleans, smallint, integer, real and double precision as themselves; bigint, numeric and money as text; json,
 * jsonb and arrays as JSON, but as its text where a number in it would change; everything else as text
 */
export function cellValue(type: number, json: string): unknown {
  if (json === 'null') return null;
  if (EXACT_TYPES.has(type)) return json.startsWith('"') ? JSON.parse(json) : json;
  const parsed = parseStrictJson(json);
  return parsed.isOk() ? parsed.value : json;
}
