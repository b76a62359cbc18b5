/** What an error is to somebody at a terminal: what went wrong, what to do, and the exit code. */
import { ConfigError, SpineError, ValidationError } from '@spine/core';
import {
  isProblem,
  SpineAnswerError,
  SpineConfigError,
  SpineConnectionError,
  SpineTimeoutError,
} from '@spine/sdk';
import type { SpineProblem } from '@spine/sdk';
import { EXIT } from './exit-codes.ts';
import type { ExitCode } from './exit-codes.ts';
import { Interrupted, OutputClosed } from './io.ts';
import { oneLine } from './printable.ts';
import { UsageError, WaitedTooLong } from './usage-error.ts';

export interface Described {
  readonly exitCode: ExitCode;
  /** What programs decide by: a problem's code, or one of this program. */
  readonly code: string;
  readonly message: string;
  readonly errors: readonly { readonly field: string; readonly message: string }[];
  readonly fix: string | null;
  /** Finds the request in the API's logs. */
  readonly requestId: string | null;
}

function exitCodeOfStatus(status: number): ExitCode {
  if (status === 404) return EXIT.not_found;
  if (status === 401 || status === 403) return EXIT.auth;
  if (status === 409 || status === 410 || status === 412 || status === 423 || status === 428) {
    return EXIT.refused;
  }
  if (status === 429 || status === 502 || status === 503 || status === 504) return EXIT.unavailable;
  return status >= 400 && status < 500 ? EXIT.usage : EXIT.failed;
}

const UNKNOWN_HANDLER = 'unknown_handler';

/** What of a problem a command can do something about in its own words. */
function inOurWords(problem: SpineProblem<string>): Pick<Described, 'message' | 'errors'> {
  const errors = problem.errors.map(({ field, message, code }) => ({
    field,
    // The rest names addresses of the API; `fix` names commands.
    message: code === UNKNOWN_HANDLER ? (message.split(';')[0] ?? message) : message,
  }));
  const [only] = errors;
  const isAll = only !== undefined && errors.length === 1 && problem.detail.startsWith(`${only.field}: `);
  // The API's detail is then that one field's.
  return { message: isAll ? `${only.field}: ${only.message}` : problem.detail, errors };
}

function fixOf(problem: SpineProblem<string>): string | null {
  if (problem.errors.some(({ code }) => code === UNKNOWN_HANDLER)) {
    return 'spine function list shows what is known; --allow-unknown accepts it all the same';
  }
  if (problem.status === 401) return 'set SPINE_API_KEY, or give --key-file, with a key of this API';
  if (problem.status === 403) return 'use a key with the scope that is named: spine keys list shows them';
  if (problem.status === 412) return 'it was changed meanwhile: look at it again, then repeat';
  if (problem.status === 429 || problem.status === 503) {
    const { retryAfterMs } = problem;
    return retryAfterMs === null ? 'try again later' : `try again in ${Math.ceil(retryAfterMs / 1_000)} s`;
  }
  return null;
}

const NOTHING = { errors: [], fix: null, requestId: null };

/** An error that nobody foresaw: `message` is then its stack. */
export function describeError(error: unknown): Described {
  if (error instanceof OutputClosed)
    return { ...NOTHING, exitCode: EXIT.ok, code: 'OUTPUT_CLOSED', message: '' };
  if (error instanceof Interrupted) {
    return { ...NOTHING, exitCode: EXIT.interrupted, code: 'INTERRUPTED', message: error.message };
  }
  if (error instanceof WaitedTooLong) {
    return { ...NOTHING, exitCode: EXIT.timeout, code: 'TIMEOUT', message: error.message };
  }
  if (error instanceof UsageError) {
    return {
      ...NOTHING,
      exitCode: EXIT.usage,
      code: 'USAGE',
      message: error.message,
      fix: error.fix ?? null,
    };
  }
  if (isProblem(error)) {
    return {
      exitCode: exitCodeOfStatus(error.status),
      code: error.code,
      ...inOurWords(error),
      fix: fixOf(error),
      requestId: error.requestId,
    };
  }
  if (error instanceof SpineTimeoutError || error instanceof SpineConnectionError) {
    return {
      ...NOTHING,
      exitCode: EXIT.unavailable,
      code: error instanceof SpineTimeoutError ? 'NO_ANSWER_IN_TIME' : 'NO_CONNECTION',
      message: error.message,
      fix: 'is the API running? `spine start` runs one here; --url or SPINE_URL says where another is',
    };
  }
  if (error instanceof SpineAnswerError) {
    return {
      ...NOTHING,
      exitCode: EXIT.unavailable,
      code: 'UNEXPECTED_ANSWER',
      message: error.message,
      fix: 'look whether --url or SPINE_URL is the address of a Spine API',
    };
  }
  if (error instanceof SpineConfigError) {
    return { ...NOTHING, exitCode: EXIT.usage, code: 'USAGE', message: error.message };
  }
  if (error instanceof ValidationError) {
    return {
      ...NOTHING,
      exitCode: EXIT.usage,
      code: 'VALIDATION_FAILED',
      message: error.message,
      errors: error.issues.map(({ field, message }) => ({ field, message })),
    };
  }
  if (error instanceof ConfigError) {
    return { ...NOTHING, exitCode: EXIT.usage, code: 'CONFIG', message: error.message };
  }
  if (error instanceof SpineError) {
    return { ...NOTHING, exitCode: EXIT.failed, code: error.name, message: error.message };
  }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return { ...NOTHING, exitCode: EXIT.failed, code: 'INTERNAL', message };
}

/** The lines for a person. */
export function problemLines({ message, errors, fix, requestId }: Described): string[] {
  return [
    ...message.split('\n').map((line, index) => `${index === 0 ? 'spine: ' : ''}${oneLine(line)}`),
    ...errors
      .map((each) => `${each.field}: ${each.message}`)
      // One that is all there is has been said.
      .filter((line) => line !== message)
      .map((line) => `  ${oneLine(line)}`),
    ...(fix === null ? [] : [`  fix: ${oneLine(fix)}`]),
    ...(requestId === null ? [] : [`  request ${oneLine(requestId)}`]),
  ];
}

/** The same for a program. */
export function problemJson({ exitCode, code, message, errors, fix, requestId }: Described): unknown {
  return { error: { code, message, errors, fix, request_id: requestId, exit_code: exitCode } };
}
