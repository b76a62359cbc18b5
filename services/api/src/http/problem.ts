/**
 * Everything a client can be told went wrong: RFC 9457 problem documents with a closed set of codes. Programs decide
 * by `code`, people read `detail`.
 */

export const PROBLEMS = {
  VALIDATION_FAILED: { status: 400, title: 'The request is not valid' },
  UNAUTHENTICATED: { status: 401, title: 'The request is not authenticated' },
  FORBIDDEN: { status: 403, title: 'The request is not allowed' },
  NOT_FOUND: { status: 404, title: 'Not found' },
  CONFLICT: { status: 409, title: 'The request contradicts what is already there' },
  NOT_CANCELLABLE: { status: 409, title: 'The run cannot be cancelled' },
  ALREADY_COMPLETE: { status: 409, title: 'The run is already complete' },
  PAYLOAD_TOO_LARGE: { status: 413, title: 'The payload is too large' },
  UNSUPPORTED_MEDIA_TYPE: { status: 415, title: 'The body is not of a type this endpoint takes' },
  LOCKED: { status: 423, title: 'Locked' },
  RATE_LIMITED: { status: 429, title: 'Too many requests' },
  QUOTA_EXCEEDED: { status: 429, title: 'The quota is used up' },
  INTERNAL: { status: 500, title: 'Internal error' },
  UNAVAILABLE: { status: 503, title: 'Temporarily unavailable' },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** One thing wrong with one field. `field` is a path in snake_case such as `params.rows[0]`. */
export interface FieldError {
  readonly code: string;
  readonly message: string;
  readonly field: string;
  /** Where it is in a text that was sent, from 1. */
  readonly line?: number;
  readonly column?: number;
}

export interface ProblemOptions {
  readonly errors?: readonly FieldError[];
  /** Sent as Retry-After; 429 and 503 say 1 second where none is given. */
  readonly retryAfterSeconds?: number;
  /** Further members of the document, e.g. `dependencies`. */
  readonly members?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** Thrown by handlers, pipes and hooks; the filter writes it. */
export class HttpProblem extends Error {
  readonly code: ProblemCode;
  readonly status: number;
  readonly errors: readonly FieldError[];
  readonly retryAfterSeconds: number | null;
  readonly members: Readonly<Record<string, unknown>>;

  constructor(code: ProblemCode, detail: string, options: ProblemOptions = {}) {
    super(detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HttpProblem';
    this.code = code;
    this.status = PROBLEMS[code].status;
    this.errors = options.errors ?? [];
    this.members = options.members ?? {};
    const mayRetry = this.status === 429 || this.status === 503;
    this.retryAfterSeconds = options.retryAfterSeconds ?? (mayRetry ? 1 : null);
  }
}

/** 400 for fields: the detail repeats the first ones, so that a log line or a terminal shows what to mend. */
export function invalid(errors: readonly FieldError[]): HttpProblem {
  const shown = errors.slice(0, 3).map((error) => `${error.field}: ${error.message}`);
  const rest = errors.length > shown.length ? `; and ${errors.length - shown.length} more` : '';
  return new HttpProblem('VALIDATION_FAILED', `${shown.join('; ')}${rest}`, { errors });
}

export function notFound(what: string, id: string): HttpProblem {
  return new HttpProblem('NOT_FOUND', `${what} ${JSON.stringify(id.slice(0, 200))} does not exist`);
}

export interface ProblemDocument extends Readonly<Record<string, unknown>> {
  readonly type: string;
  readonly title: string;
  readonly status: number;
  readonly detail: string;
  readonly instance: string;
  readonly code: ProblemCode;
  readonly errors: readonly FieldError[];
  readonly request_id: string;
}

/** @param instance path of the request, without its query. */
export function problemDocument(problem: HttpProblem, instance: string, requestId: string): ProblemDocument {
  return {
    type: `urn:spine:problem:${problem.code.toLowerCase().replaceAll('_', '-')}`,
    title: PROBLEMS[problem.code].title,
    status: problem.status,
    detail: problem.message,
    instance,
    code: problem.code,
    errors: problem.errors,
    request_id: requestId,
    ...problem.members,
  };
}
