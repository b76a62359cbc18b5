/** Ready-made quality checks. Numbers are exact decimals; a value that is no number fails its check, it is never skipped. */
import { ValidationError } from '../errors/permanent.ts';
import { Decimal, parseDecimal, sumDecimals } from '../finance/decimal.ts';
import { truncateText } from '../text.ts';
import { QualityCategory, qualityFail, qualityPass, qualityWarn } from './quality.ts';
import type { QualityCheck, QualityResult } from './quality.ts';

/** A number without rounding: decimal text as Postgres writes `numeric`, a whole number, or a Decimal. */
export type ExactNumber = string | number | bigint | Decimal;

/** What every ready-made check is told. */
export interface CheckOptions {
  readonly name: string;
  /** Default: the one that fits the check. */
  readonly category?: QualityCategory;
}

/** Values that a message quotes. */
const SHOWN = 3;

function exact(value: ExactNumber): Decimal {
  if (value instanceof Decimal) return value;
  if (typeof value === 'string') return parseDecimal(value);
  if (typeof value === 'bigint' || Number.isSafeInteger(value)) return new Decimal(value.toString());
  throw new ValidationError(`value: ${value} is a float; allowed are decimal text and whole numbers`);
}

function quoted(values: readonly unknown[]): string {
  const shown = values.slice(0, SHOWN).map((value) => truncateText(String(value), 80));
  return `${shown.join(', ')}${values.length > SHOWN ? ', …' : ''}`;
}

function checkOf<C>(
  { name, category }: CheckOptions,
  usual: QualityCategory,
  check: (context: C) => QualityResult,
): QualityCheck<C> {
  return { name, category: category ?? usual, check };
}

/** FAIL for fewer rows than `minimum`. */
export function rowCountAtLeast<C>(
  options: CheckOptions & { readonly minimum: number; readonly count: (context: C) => number },
): QualityCheck<C> {
  const { minimum } = options;
  return checkOf(options, QualityCategory.COMPLETENESS, (context) => {
    const count = options.count(context);
    const values = [String(count), `>= ${minimum}`] as const;
    if (count >= minimum) return qualityPass(`${count} rows`, ...values);
    return qualityFail(`${count} rows; at least ${minimum} are expected`, ...values);
  });
}

/** FAIL for a value below zero. Null is no value here: {@link noNulls} asks about those. */
export function nonNegative<C>(
  options: CheckOptions & { readonly values: (context: C) => Iterable<ExactNumber | null> },
): QualityCheck<C> {
  return checkOf(options, QualityCategory.BUSINESS_RULE, (context) => {
    const negative: string[] = [];
    let count = 0;
    for (const value of options.values(context)) {
      if (value === null) continue;
      count += 1;
      const number = exact(value);
      if (!number.gte(0)) negative.push(number.toString());
    }
    if (negative.length === 0) return qualityPass(`${count} values, none below zero`, '0', '0');
    return qualityFail(
      `${negative.length} of ${count} values are not zero or more: ${quoted(negative)}`,
      String(negative.length),
      '0',
    );
  });
}

/** FAIL for a null (or undefined). */
export function noNulls<C>(
  options: CheckOptions & { readonly values: (context: C) => Iterable<unknown> },
): QualityCheck<C> {
  return checkOf(options, QualityCategory.COMPLETENESS, (context) => {
    const { nulls, total } = countNulls(options.values(context));
    if (nulls === 0) return qualityPass(`${total} values, none null`, '0', '0');
    return qualityFail(`${nulls} of ${total} values are null`, String(nulls), '0');
  });
}

/**
 * FAIL unless the exact sum is `expected`, give or take `tolerance` (decimal text, default '0'). A null among the values
 * fails the check: the sum of the others would be another question.
 */
export function sumsTo<C>(
  options: CheckOptions & {
    readonly expected: ExactNumber | ((context: C) => ExactNumber);
    readonly tolerance?: string;
    readonly values: (context: C) => Iterable<ExactNumber | null>;
  },
): QualityCheck<C> {
  const tolerance = parseDecimal(options.tolerance ?? '0', 'tolerance');
  return checkOf(options, QualityCategory.INTEGRITY, (context) => {
    const values = [...options.values(context)];
    const present = values.filter((value) => value !== null);
    const { expected: wanted } = options;
    const expected = exact(typeof wanted === 'function' ? wanted(context) : wanted);
    const text = tolerance.isZero()
      ? expected.toString()
      : `${expected.toString()} ± ${tolerance.toString()}`;
    if (present.length < values.length) {
      return qualityFail(`${values.length - present.length} of ${values.length} values are null`, null, text);
    }
    const sum = sumDecimals(present.map(exact));
    if (sum.minus(expected).abs().lte(tolerance)) {
      return qualityPass(`${values.length} values sum to ${sum.toString()}`, sum.toString(), text);
    }
    return qualityFail(
      `${values.length} values sum to ${sum.toString()}; expected is ${text}`,
      sum.toString(),
      text,
    );
  });
}

/**
 * WARN from a share of nulls of `warn` on, FAIL from `fail` on (decimal text, 0 to 1). No values at all have no nulls:
 * {@link rowCountAtLeast} asks whether there are any.
 *
 * @throws ValidationError for rates out of range or in the wrong order.
 */
export function nullRateBelow<C>(
  options: CheckOptions & {
    readonly warn: string;
    readonly fail: string;
    readonly values: (context: C) => Iterable<unknown>;
  },
): QualityCheck<C> {
  const warn = parseDecimal(options.warn, 'warn');
  const fail = parseDecimal(options.fail, 'fail');
  if (!warn.gte(0) || warn.gt(fail) || fail.gt(1)) {
    throw new ValidationError(
      `warn, fail: ${options.warn}, ${options.fail}; allowed is 0 <= warn <= fail <= 1`,
    );
  }
  return checkOf(options, QualityCategory.COMPLETENESS, (context) => {
    const { nulls, total } = countNulls(options.values(context));
    const rate = total === 0 ? '0' : new Decimal(nulls).div(total).toSignificantDigits(6).toString();
    const message = `${nulls} of ${total} values are null`;
    // Multiplied, not divided: a rate such as 1/3 has no exact decimal.
    const reaches = (limit: Decimal) => nulls > 0 && limit.times(total).lte(nulls);
    if (reaches(fail)) return qualityFail(message, rate, `< ${options.fail}`);
    if (reaches(warn)) return qualityWarn(message, rate, `< ${options.warn}`);
    return qualityPass(message, rate, `< ${options.warn}`);
  });
}

/** FAIL when a key stands for more than one row. Keys are compared as text; join several columns as JSON. */
export function unique<C>(
  options: CheckOptions & { readonly keys: (context: C) => Iterable<string> },
): QualityCheck<C> {
  return checkOf(options, QualityCategory.INTEGRITY, (context) => {
    const seen = new Set<string>();
    const twice = new Set<string>();
    let total = 0;
    for (const key of options.keys(context)) {
      total += 1;
      if (seen.has(key)) twice.add(key);
      seen.add(key);
    }
    if (twice.size === 0) return qualityPass(`${total} keys, each once`, '0', '0');
    return qualityFail(
      `${twice.size} keys are there more than once: ${quoted([...twice])}`,
      String(twice.size),
      '0',
    );
  });
}

/** FAIL for a value that is none of `allowed`. */
export function inSet<C>(
  options: CheckOptions & {
    readonly allowed: Iterable<string>;
    readonly values: (context: C) => Iterable<string>;
  },
): QualityCheck<C> {
  const allowed = new Set(options.allowed);
  return checkOf(options, QualityCategory.BUSINESS_RULE, (context) => {
    const others = new Set<string>();
    for (const value of options.values(context)) if (!allowed.has(value)) others.add(value);
    const expected = [...allowed].join(', ');
    if (others.size === 0) return qualityPass('every value is allowed', null, expected);
    return qualityFail(`not allowed: ${quoted([...others])}`, quoted([...others]), expected);
  });
}

function countNulls(values: Iterable<unknown>): { readonly nulls: number; readonly total: number } {
  let nulls = 0;
  let total = 0;
  for (const value of values) {
    total += 1;
    if (value === null || value === undefined) nulls += 1;
  }
  return { nulls, total };
}
