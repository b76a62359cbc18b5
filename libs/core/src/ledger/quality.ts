/**
 * Quality checks: what is asked of data, and what came of it.
 *
 * 1. Every check of a runner runs, whatever the others found. A check that throws has failed.
 * 2. A gate that nothing was asked of is not open: it throws.
 */
import { describeThrown } from '../errors/describe-thrown.ts';
import { InvariantError, ValidationError } from '../errors/permanent.ts';
import { QualityGateError } from '../errors/quality-gate-error.ts';
import { toStorableText, truncateText } from '../text.ts';

/** What a check looks at. */
export const QualityCategory = {
  /** The rows fit together: sums, keys, references. */
  INTEGRITY: 'INTEGRITY',
  /** Everything that should be there is there. */
  COMPLETENESS: 'COMPLETENESS',
  /** The figures mean what the business says they mean. */
  BUSINESS_RULE: 'BUSINESS_RULE',
} as const;
export type QualityCategory = (typeof QualityCategory)[keyof typeof QualityCategory];
export const QUALITY_CATEGORIES: readonly QualityCategory[] = Object.values(QualityCategory);

export const QualityStatus = {
  PASS: 'PASS',
  /** Worth a look; stops nothing. */
  WARN: 'WARN',
  /** The gate stays shut. */
  FAIL: 'FAIL',
} as const;
export type QualityStatus = (typeof QualityStatus)[keyof typeof QualityStatus];
export const QUALITY_STATUSES: readonly QualityStatus[] = Object.values(QualityStatus);

/** What one check found. */
export interface QualityResult {
  readonly status: QualityStatus;
  /** For people. */
  readonly message: string;
  /** As text, so that a decimal is kept digit by digit; null where there is no one value. */
  readonly actualValue: string | null;
  readonly expectedValue: string | null;
}

/** A result with the check it is of. */
export interface QualityOutcome extends QualityResult {
  readonly checkName: string;
  readonly category: QualityCategory;
}

/** One question to the data. `C` is what the caller hands to every check: rows, counts, whatever it asks about. */
export interface QualityCheck<C> {
  /** Lower case, e.g. `shares_sum`; stored, so renaming it begins a new history. */
  readonly name: string;
  readonly category: QualityCategory;
  readonly check: (context: C) => QualityResult | Promise<QualityResult>;
}

/** What the name of a check must match. */
export const CHECK_NAME = /^[a-z][a-z0-9_.]{0,99}$/;

/** Longest message, and longest value, of a result, in UTF-16 code units. */
const MAX_TEXT = 2_000;

function result(status: QualityStatus, message: string, values: readonly (string | null)[]): QualityResult {
  const [actualValue = null, expectedValue = null] = values;
  return { status, message, actualValue, expectedValue };
}

export function qualityPass(message: string, actual: string | null = null, expected: string | null = null) {
  return result(QualityStatus.PASS, message, [actual, expected]);
}

export function qualityWarn(message: string, actual: string | null = null, expected: string | null = null) {
  return result(QualityStatus.WARN, message, [actual, expected]);
}

export function qualityFail(message: string, actual: string | null = null, expected: string | null = null) {
  return result(QualityStatus.FAIL, message, [actual, expected]);
}

/** Runs checks over one context and keeps what they found. One runner serves one partition of one run. */
export class QualityRunner<C> {
  readonly #checks: QualityCheck<C>[] = [];
  #outcomes: readonly QualityOutcome[] | null = null;

  /** @throws ValidationError for a name out of form or one that is taken. */
  add(check: QualityCheck<C>): this {
    if (!CHECK_NAME.test(check.name)) {
      throw new ValidationError(
        `check name ${JSON.stringify(truncateText(check.name, 120))} must match ${CHECK_NAME.source}`,
      );
    }
    if (this.#checks.some(({ name }) => name === check.name)) {
      throw new ValidationError(`check ${check.name} is added twice; a runner has each check once`);
    }
    this.#checks.push(check);
    return this;
  }

  /**
   * Runs every check, one after the other in the order they were added, and answers with what each found.
   * @throws ValidationError when there is no check: a gate without a question would always be open.
   */
  async runAll(context: C): Promise<readonly QualityOutcome[]> {
    if (this.#checks.length === 0) throw new ValidationError('the quality runner has no check');
    const outcomes: QualityOutcome[] = [];
    for (const check of this.#checks) outcomes.push(await outcomeOf(check, context));
    this.#outcomes = outcomes;
    return outcomes;
  }

  /** What the last {@link runAll} found. @throws InvariantError before it. */
  get results(): readonly QualityOutcome[] {
    if (this.#outcomes === null) throw new InvariantError('the quality checks have not been run');
    return this.#outcomes;
  }

  /** @throws InvariantError before {@link runAll}. */
  hasFailures(): boolean {
    return this.failures().length > 0;
  }

  /** The checks that failed, in order. @throws InvariantError before {@link runAll}. */
  failures(): readonly QualityOutcome[] {
    return failuresOf(this.results);
  }

  /** @throws QualityGateError naming every check that failed; InvariantError before {@link runAll}. */
  gate(): void {
    qualityGate(this.results);
  }
}

/** The outcomes that failed, in order. */
export function failuresOf(outcomes: readonly QualityOutcome[]): readonly QualityOutcome[] {
  return outcomes.filter(({ status }) => status === QualityStatus.FAIL);
}

/** @throws QualityGateError naming every outcome that failed. */
export function qualityGate(outcomes: readonly QualityOutcome[]): void {
  const failures = failuresOf(outcomes);
  if (failures.length === 0) return;
  throw new QualityGateError(failures.map(({ checkName, message }) => ({ name: checkName, message })));
}

async function outcomeOf<C>(check: QualityCheck<C>, context: C): Promise<QualityOutcome> {
  const found = await foundBy(check, context);
  return {
    checkName: check.name,
    category: check.category,
    status: found.status,
    message: bounded(found.message),
    actualValue: found.actualValue === null ? null : bounded(found.actualValue),
    expectedValue: found.expectedValue === null ? null : bounded(found.expectedValue),
  };
}

async function foundBy<C>(check: QualityCheck<C>, context: C): Promise<QualityResult> {
  try {
    return await check.check(context);
  } catch (thrown) {
    const { type, message } = describeThrown(thrown, MAX_TEXT);
    return qualityFail(`the check itself failed with ${type}: ${message}`);
  }
}

function bounded(text: string): string {
  return toStorableText(truncateText(text, MAX_TEXT));
}
