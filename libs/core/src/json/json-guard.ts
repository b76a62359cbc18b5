import { err, ok, type Result } from '../result.ts';
import { DEFAULT_MAX_JSON_DEPTH, type JsonProblem } from './json-problem.ts';
import { scanJson } from './json-scan.ts';
import type { JsonValue } from './json-value.ts';

export interface StrictJsonOptions {
  /** Deepest nesting of arrays and objects. Default 64. */
  readonly maxDepth?: number;
}

/**
 * JSON text from outside, or everything that keeps it from being stored unchanged (at most 20 problems):
 * invalid JSON, nesting over `maxDepth`, keys that reach a prototype, NUL or lone surrogates, numbers that
 * would change. Of duplicate keys the last wins, as in `JSON.parse`. Never throws, for any text of any depth.
 * Problems quote keys and numbers of the text, never its strings.
 */
export function parseStrictJson(
  text: string,
  options: StrictJsonOptions = {},
): Result<JsonValue, readonly JsonProblem[]> {
  const maxDepth = options.maxDepth ?? DEFAULT_MAX_JSON_DEPTH;
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (thrown) {
    return err([invalidJson(text, thrown)]);
  }
  if (!NEEDS_SCAN.test(text) && text.isWellFormed() && !nestsDeeper(value, maxDepth)) return ok(value);
  const problems = scanJson(text, maxDepth);
  return problems.length === 0 ? ok(value) : err(problems);
}

/**
 * What every problem but depth and raw lone surrogates leaves in the text: an escape that could spell
 * anything, a forbidden key, or (where a number can start) 16 digits or an exponent. Innocent texts match
 * now and then and pay for a scan; a guilty one always matches. Bounded repeats: no backtracking to speak of.
 */
const NEEDS_SCAN = /\\u|__proto__|constructor|prototype|(?:^|[\s:,[])-?\d(?:[\d.]{15}|[\d.]{0,14}[eE])/;

/** Whether arrays and objects nest deeper than `levels`; looks no deeper than that itself. */
function nestsDeeper(value: JsonValue, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false;
  if (levels === 0) return true;
  if (Array.isArray(value)) {
    for (const item of value as readonly JsonValue[]) if (nestsDeeper(item, levels - 1)) return true;
    return false;
  }
  const members = value as { readonly [key: string]: JsonValue };
  for (const key in members) {
    const member = members[key];
    if (member !== undefined && nestsDeeper(member, levels - 1)) return true;
  }
  return false;
}

/** V8's own message quotes the text, which may hold a secret; only the position is taken from it. */
function invalidJson(text: string, thrown: unknown): JsonProblem {
  if (text.trim() === '') {
    return { field: '', code: 'invalid_json', message: 'the text is empty; a JSON value is expected' };
  }
  const position = thrown instanceof Error ? /at position (\d{1,15})/.exec(thrown.message)?.[1] : undefined;
  const where = position === undefined ? '' : ` (at position ${position})`;
  return { field: '', code: 'invalid_json', message: `the text is not valid JSON${where}` };
}
