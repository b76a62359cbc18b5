import { err, findJsonProblems, ok, ValidationError } from '@spine/core';
import type { Result } from '@spine/core';
import { LIMITS } from '../spec/limits.ts';

/** Escapes JSON.stringify writes for what jsonb refuses; the same letters after a backslash are harmless. */
const SUSPICIOUS = /\\u0000|\\ud[89a-f]/i;

function refuse(message: string): Result<never, ValidationError> {
  return err(new ValidationError(`the handler's result cannot be stored: ${message}`));
}

/**
 * A handler's result as JSON text, null for none. A result that cannot be stored is a permanent error of the handler:
 * the run still settles.
 */
export function encodeResult(value: unknown): Result<string | null, ValidationError> {
  if (value === undefined || value === null) return ok(null);
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    return refuse(error instanceof Error ? error.message : 'it is not JSON');
  }
  if (text === undefined) return refuse(`a ${typeof value} is not JSON`);
  if (text.length * 3 > LIMITS.payloadBytes && Buffer.byteLength(text) > LIMITS.payloadBytes) {
    return refuse(
      `it is ${Buffer.byteLength(text)} bytes of JSON, at most ${LIMITS.payloadBytes} are allowed`,
    );
  }
  // Nothing nests deeper than there are brackets, so short flat results skip the walk.
  if (SUSPICIOUS.test(text) || text.length > 4_096) {
    const problem = findJsonProblems(JSON.parse(text) as unknown)[0];
    if (problem !== undefined)
      return refuse(`${problem.field === '' ? 'it' : problem.field}: ${problem.message}`);
  }
  return ok(text);
}
