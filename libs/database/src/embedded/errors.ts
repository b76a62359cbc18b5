import { ErrorCategory, SpineError } from '@spine/core';

/** The embedded Postgres could not be installed, started or stopped; the message says what to do about it. */
export class EmbeddedPostgresError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.DATABASE;
}
