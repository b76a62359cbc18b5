import { isStorableText } from '../text.ts';

/** Deepest nesting of arrays and objects accepted by default; `[[]]` has depth 2. */
export const DEFAULT_MAX_JSON_DEPTH = 64;

/** After this many problems a check stops: a body of a million bad keys must not make a million-line answer. */
export const MAX_JSON_PROBLEMS = 20;

export type JsonProblemCode =
  /** The text is not JSON at all. */
  | 'invalid_json'
  /** Arrays and objects nest deeper than allowed. */
  | 'too_deep'
  /** A key that can reach an object's prototype: `__proto__`, `constructor`, `prototype`. */
  | 'forbidden_key'
  /** A string or key with a NUL character or a lone surrogate, which Postgres refuses. */
  | 'invalid_string'
  /** A number that would silently become another one, or is not finite. */
  | 'unsafe_number'
  /** JSON has no such value: a function, BigInt, symbol, cycle, class instance (already-parsed values only). */
  | 'not_json';

/** One thing wrong with a JSON value. */
export interface JsonProblem {
  /** Where: `a.b[0]`, `a["odd key"]`; '' is the whole value. */
  readonly field: string;
  readonly code: JsonProblemCode;
  readonly message: string;
}

export function isForbiddenKey(key: string): boolean {
  return key === '__proto__' || key === 'constructor' || key === 'prototype';
}

/** What is wrong, wherever it is; where is only spelt out when something is. */
export type JsonFlaw = Omit<JsonProblem, 'field'>;

/** What is wrong with an object key, or null. */
export function keyFlaw(key: string): JsonFlaw | null {
  if (isForbiddenKey(key)) return { code: 'forbidden_key', message: `the key "${key}" is not allowed` };
  if (isStorableText(key)) return null;
  return { code: 'invalid_string', message: 'keys must not contain NUL characters or lone surrogates' };
}

/** What is wrong with a string value, or null. */
export function textFlaw(text: string): JsonFlaw | null {
  if (isStorableText(text)) return null;
  return { code: 'invalid_string', message: 'text must not contain NUL characters or lone surrogates' };
}

export function depthProblem(field: string, maxDepth: number): JsonProblem {
  return { field, code: 'too_deep', message: `arrays and objects may nest at most ${maxDepth} levels` };
}
