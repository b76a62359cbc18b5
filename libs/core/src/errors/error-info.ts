import type { JsonObject } from '../json/json-value.ts';
import { ErrorCategory, isErrorCategory } from './category.ts';
import { describeThrown } from './describe-thrown.ts';
import { MAX_ERROR_MESSAGE_LENGTH, SpineError } from './spine-error.ts';

/** What a run keeps of the error that ended an attempt. */
export interface ErrorInfo {
  /** Storable text of at most 4,000 UTF-16 code units, never empty. */
  readonly message: string;
  /** The error's `name`, or what was thrown instead of an error ('string', 'undefined', ...). */
  readonly type: string;
  readonly category: ErrorCategory;
  readonly retryable: boolean;
  /** Seconds; null when the error does not say. */
  readonly retryAfterSeconds: number | null;
  /** What a `SpineError` says besides, see {@link SpineError.details}; absent for nothing. */
  readonly details?: JsonObject;
}

/**
 * What to record of anything a handler threw. Never throws.
 *
 * A `SpineError` says itself what it is. Anything else is UNKNOWN and retryable: drivers and clients report
 * transient faults (a reset connection, a 503) as plain errors, and attempts are bounded, so a wasted retry
 * costs little where a lost run costs much. Handlers end a run at once by throwing a permanent SpineError.
 * Cancels, time-outs and shutdowns arrive as aborts and are told apart by the caller before this.
 */
export function toErrorInfo(thrown: unknown): ErrorInfo {
  const described = describeThrown(thrown, MAX_ERROR_MESSAGE_LENGTH);
  try {
    if (thrown instanceof SpineError) return { ...described, ...verdictOf(thrown) };
  } catch {
    // A proxy or a getter that throws: it cannot say what it is, so it is treated as one that does not.
  }
  return { ...described, category: ErrorCategory.UNKNOWN, retryable: true, retryAfterSeconds: null };
}

function verdictOf(error: SpineError): Omit<ErrorInfo, 'message' | 'type'> {
  const { category, retryable, retryAfterSeconds, details } = error;
  return {
    // Handlers in plain JavaScript can pass any text; stores and policies know only these.
    category: isErrorCategory(category) ? category : ErrorCategory.UNKNOWN,
    retryable,
    retryAfterSeconds,
    ...(details === null ? {} : { details }),
  };
}

/** `thrown` itself when it is an Error; otherwise a retryable UNKNOWN SpineError that describes it, with it as cause. */
export function toError(thrown: unknown): Error {
  if (isError(thrown)) return thrown;
  const { message } = describeThrown(thrown, MAX_ERROR_MESSAGE_LENGTH);
  return new SpineError(message, { category: ErrorCategory.UNKNOWN, retryable: true, cause: thrown });
}

/** `instanceof` runs a proxy's traps, which may throw. */
function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}
