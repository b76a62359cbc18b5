import type { JsonValue } from '../json/json-value.ts';
import { ErrorCategory } from './category.ts';
import { toPlainJson } from './plain-json.ts';
import { SpineError, type SpineErrorDict, type SpineErrorOptions } from './spine-error.ts';

/** A check that a quality gate failed on. */
export interface FailedCheck {
  readonly name: string;
  /** What was found. */
  readonly message: string;
}

/**
 * The data broke at least one check of a quality gate. The same data will break it again, so it is not retried; what to
 * do is to mend the data or the rule, and to run the work again.
 */
export class QualityGateError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.DATA_QUALITY;

  /** Every check that failed, in the order they were added. */
  readonly failures: readonly FailedCheck[];

  constructor(failures: readonly FailedCheck[], options: SpineErrorOptions = {}) {
    const checks = failures.length === 1 ? '1 check' : `${failures.length} checks`;
    const said = failures.map(({ name, message }) => `${name}: ${message}`).join('; ');
    super(`the quality gate failed on ${checks}: ${said}`, options);
    this.failures = failures;
  }

  override toDict(): SpineErrorDict & { readonly failures: JsonValue } {
    return { ...super.toDict(), failures: toPlainJson(this.failures) };
  }
}
