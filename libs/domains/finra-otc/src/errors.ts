import { ErrorCategory, SpineError } from '@spine/core';

/** What an operation builds on is not there yet. The message names the operation to run first. */
export class MissingInputError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.VALIDATION;
}

/** Rows were added to a capture after it had been named: it cannot be built again as it was. */
export class CaptureChangedError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.VALIDATION;
}

/** Child runs of a backfill did not complete. */
export class BackfillIncompleteError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.OPERATION;
}

/** A weekly file is not in the data roots. The message says under which name it is looked for. */
export class MissingFileError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.SOURCE;
}
