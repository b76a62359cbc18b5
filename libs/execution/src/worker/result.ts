/**
 * What a handler returns, and what it reports with an event, as JSON text that every store takes unchanged. What cannot
 * be stored so is refused, never altered: a result that silently lost a character or a number is worse than none.
 */
import { DEFAULT_MAX_JSON_DEPTH, err, findJsonProblems, ok, toErrorInfo, ValidationError } from '@spine/core';
import type { Result } from '@spine/core';
import { LIMITS } from '../spec/limits.ts';
import { nestsDeeperThan } from './json-depth.ts';

/**
 * What JSON.stringify writes for what jsonb refuses, and for keys that reach a prototype. The same letters after a
 * backslash are harmless: whoever matches is looked at again.
 */
const SUSPICIOUS = /\\u0000|\\ud[89a-f]|"(?:__proto__|constructor|prototype)":/i;

/** JSON.stringify makes null of a number that is not finite. */
const MAYBE_NOT_FINITE = 'null';

function refuse(what: string, message: string): Result<never, ValidationError> {
  return err(new ValidationError(`${what} cannot be stored: ${message}`));
}

/**
 * A value as JSON text; undefined and null are none.
 *
 * @param what begins the message, e.g. `the handler's result`; @param maxBytes of the text as UTF-8.
 */
export function encodeJson(
  value: unknown,
  what: string,
  maxBytes: number,
): Result<string | null, ValidationError> {
  if (value === undefined || value === null) return ok(null);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
    if (text?.includes(MAYBE_NOT_FINITE) === true) JSON.stringify(value, refuseNotFinite);
  } catch (error) {
    return refuse(what, toErrorInfo(error).message);
  }
  if (text === undefined) return refuse(what, `a ${typeof value} is not JSON`);
  // UTF-8 has at most three bytes a UTF-16 unit: short texts need no count.
  if (text.length * 3 > maxBytes && Buffer.byteLength(text) > maxBytes) {
    return refuse(what, `it is ${Buffer.byteLength(text)} bytes of JSON, at most ${maxBytes} are allowed`);
  }
  if (SUSPICIOUS.test(text) || nestsDeeperThan(text, DEFAULT_MAX_JSON_DEPTH)) {
    const problem = findJsonProblems(JSON.parse(text) as unknown)[0];
    if (problem !== undefined)
      return refuse(what, `${problem.field === '' ? 'it' : problem.field}: ${problem.message}`);
  }
  return ok(text);
}

/** A handler's result. A refused one is a permanent error of the handler: the run still settles. */
export function encodeResult(
  value: unknown,
  maxBytes: number = LIMITS.payloadBytes,
): Result<string | null, ValidationError> {
  return encodeJson(value, "the handler's result", maxBytes);
}

function refuseNotFinite(key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value;
  throw new RangeError(`${key === '' ? 'it' : JSON.stringify(key)} is ${value}, which is no JSON number`);
}
