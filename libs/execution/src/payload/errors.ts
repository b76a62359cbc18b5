import { ErrorCategory, SpineError } from '@spine/core';
import type { SpineErrorOptions } from '@spine/core';

/** What went wrong with a payload outside its run's row. Messages name the run and the slot, never a path. */
export class PayloadError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.STORAGE;
}

/** The store cannot take it or give it out now: full, not writable, not reachable. Nothing was changed. */
export class PayloadUnavailableError extends PayloadError {
  static override readonly defaultRetryable: boolean = true;

  constructor(message: string, options: SpineErrorOptions = {}) {
    super(`${message}: ${reasonOf(options.cause)}`, options);
  }
}

/** The store has no such payload. Retryable where that may only be how it looks from here: a volume not mounted. */
export class PayloadMissingError extends PayloadError {}

/** What is stored is not what was stored. */
export class PayloadCorruptError extends PayloadError {}

/** An error's code: the messages of file systems and drivers hold paths and statements. */
function reasonOf(cause: unknown): string {
  if (typeof cause === 'object' && cause !== null && 'code' in cause && typeof cause.code === 'string') {
    return cause.code;
  }
  return cause instanceof Error ? cause.name : 'unknown reason';
}
