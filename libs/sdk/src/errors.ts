/**
 * What a call can throw. `SpineProblem` is an answer of the API; the others say why there is none. Aborting a call throws
 * the signal's reason, as `fetch` does.
 */
import type { FieldError, Problem } from './generated/index.ts';

/** What programs decide by. A newer API may answer with codes beyond these: a switch over them needs a default. */
export type ProblemCode = Problem['code'];

export interface ProblemFields {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly instance: string;
  readonly errors: readonly FieldError[];
  /** Finds the request in the API's logs; null where something before the API answered. */
  readonly requestId: string | null;
  /** From Retry-After; null without one. */
  readonly retryAfterMs: number | null;
  /** Further members of the document, e.g. `dependencies`. */
  readonly members: Readonly<Record<string, unknown>>;
}

/** A problem document (RFC 9457) that the API answered with. `message` is its detail. */
export class SpineProblem<Code extends string = ProblemCode> extends Error implements ProblemFields {
  override readonly name = 'SpineProblem';
  readonly code: Code;
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly instance: string;
  readonly errors: readonly FieldError[];
  readonly requestId: string | null;
  readonly retryAfterMs: number | null;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(code: Code, fields: ProblemFields) {
    super(fields.detail);
    this.code = code;
    this.status = fields.status;
    this.title = fields.title;
    this.detail = fields.detail;
    this.instance = fields.instance;
    this.errors = fields.errors;
    this.requestId = fields.requestId;
    this.retryAfterMs = fields.retryAfterMs;
    this.members = fields.members;
  }
}

/** A union over the codes: a switch over `code` narrows it. */
export type AnySpineProblem = { [Code in ProblemCode]: SpineProblem<Code> }[ProblemCode];

/** Whether an error is a problem of the API, and of one of these codes if any are named. */
export function isProblem(error: unknown): error is AnySpineProblem;
export function isProblem<Code extends ProblemCode>(
  error: unknown,
  ...codes: readonly [Code, ...Code[]]
): error is SpineProblem<Code>;
export function isProblem(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof SpineProblem && (codes.length === 0 || codes.includes(error.code));
}

/** No answer came: the address is wrong, the network or the API is down. Whether the request was served is unknown. */
export class SpineConnectionError extends Error {
  override readonly name: string = 'SpineConnectionError';
}

/** No answer came in time. Whether the request was served is unknown. */
export class SpineTimeoutError extends SpineConnectionError {
  override readonly name = 'SpineTimeoutError';
}

/** An answer came that is not one of a Spine API: a proxy's page, a redirect, cut off JSON. */
export class SpineAnswerError extends Error {
  override readonly name = 'SpineAnswerError';
  readonly status: number;

  constructor(message: string, status: number, options?: ErrorOptions) {
    super(message, options);
    this.status = status;
  }
}

/** The client was made with options that cannot work; thrown before anything is sent. */
export class SpineConfigError extends Error {
  override readonly name = 'SpineConfigError';
}
