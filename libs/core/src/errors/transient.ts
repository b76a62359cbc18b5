import { ErrorCategory } from './category.ts';
import { SpineError } from './spine-error.ts';

/** Trying again later may help: retryable, NETWORK unless said otherwise. */
export class TransientError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.NETWORK;
  static override readonly defaultRetryable: boolean = true;
}

/** A remote system could not be reached or broke off. */
export class NetworkError extends TransientError {}

/** Something took longer than it was given. */
export class TimeoutError extends TransientError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.TIMEOUT;
}

/** A remote system asked for fewer requests; pass its Retry-After as `retryAfterSeconds`. */
export class RateLimitError extends TransientError {}

/** The database cannot be reached, or dropped the connection. */
export class DatabaseConnectionError extends TransientError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.DATABASE;
}
