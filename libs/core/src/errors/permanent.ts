import type { JsonValue } from '../json/json-value.ts';
import { ErrorCategory } from './category.ts';
import { toPlainJson } from './plain-json.ts';
import { SpineError, type SpineErrorDict, type SpineErrorOptions } from './spine-error.ts';

/** An upstream source is missing or not what it should be. */
export class SourceError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.SOURCE;
}

/** Data of a source could not be decoded; a kind of SourceError. */
export class ParseError extends SourceError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.PARSE;
}

/** One thing wrong with one field. `field` is a path such as `params.rows[0].symbol`, '' for the whole value. */
export interface ValidationIssue {
  readonly field: string;
  /** Lower-case and stable, for programs. */
  readonly code: string;
  /** For people: what was given and what is allowed. */
  readonly message: string;
}

export interface ValidationErrorOptions extends SpineErrorOptions {
  readonly issues?: readonly ValidationIssue[];
}

/** A value breaks a rule; the same value will break it again. */
export class ValidationError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.VALIDATION;

  /** What is wrong, field by field; empty when the message says it all. */
  readonly issues: readonly ValidationIssue[];

  constructor(message: string, options: ValidationErrorOptions = {}) {
    super(message, options);
    this.issues = options.issues ?? [];
  }

  override toDict(): SpineErrorDict & { readonly issues: JsonValue } {
    return { ...super.toDict(), issues: toPlainJson(this.issues) };
  }
}

/** What was asked for does not exist. */
export class NotFoundError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.VALIDATION;
}

/** The request contradicts what is already there. */
export class ConflictError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.VALIDATION;
}

/** A setting is missing or wrong. */
export class ConfigError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.CONFIG;
}

/** The caller is not known or not allowed. */
export class AuthError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.AUTH;
}

/** An operation failed for a reason of its own. */
export class OperationError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.OPERATION;
}

/** A workflow or schedule cannot proceed. */
export class OrchestrationError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.ORCHESTRATION;
}

/** A file or object cannot be read or written. */
export class StorageError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.STORAGE;
}

/** Something the code relies on is not so: a fault in Spine, never in the input. */
export class InvariantError extends SpineError {}
