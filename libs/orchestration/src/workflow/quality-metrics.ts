import { canonicalJson, isJsonObject, ValidationError } from '@spine/core';
import type { JsonValue } from '@spine/core';
import { WORKFLOW_LIMITS } from './model.ts';

/** What a step says about the data it handled. Counts are whole numbers of at least 0. */
export interface QualityMetrics {
  readonly recordCount: number;
  readonly validCount: number;
  /** Whether the step's own gate let the data through. */
  readonly passed: boolean;
  /** Further figures; decimals as text, so that no digit is lost. */
  readonly customMetrics: Readonly<Record<string, number | string>>;
}

/**
 * @param metrics `passed` defaults to whether every record is valid.
 * @throws ValidationError for a count that is negative, broken, or larger than the records there are.
 */
function of(
  metrics: Pick<QualityMetrics, 'recordCount' | 'validCount'> & Partial<QualityMetrics>,
): QualityMetrics {
  const { recordCount, validCount } = metrics;
  if (!isCount(recordCount) || !isCount(validCount) || validCount > recordCount) {
    const message = `${validCount} of ${recordCount} valid records; both must be whole numbers, 0 <= valid <= records`;
    throw new ValidationError(`validCount: ${message}`, {
      issues: [{ field: 'validCount', code: 'out_of_range', message }],
    });
  }
  return {
    recordCount,
    validCount,
    passed: metrics.passed ?? validCount === recordCount,
    customMetrics: metrics.customMetrics ?? {},
  };
}

/** The share of records that are valid, 0 to 1; 1 where there are none, because none is wrong. */
function validRate(metrics: QualityMetrics): number {
  return metrics.recordCount === 0 ? 1 : metrics.validCount / metrics.recordCount;
}

/** What of a value is no quality, for JSON that a step has answered; null when it is one. */
function problemOf(value: JsonValue): string | null {
  if (!isJsonObject(value)) return 'is no object';
  const { recordCount, validCount, passed, customMetrics, ...more } = value;
  const [unknown] = Object.keys(more);
  if (unknown !== undefined) return `has a field ${unknown}`;
  if (!isCount(recordCount) || !isCount(validCount) || validCount > recordCount)
    return 'has no whole recordCount and validCount, 0 <= validCount <= recordCount';
  if (passed !== undefined && typeof passed !== 'boolean') return 'passed is neither true nor false';
  if (customMetrics !== undefined && !isFigures(customMetrics))
    return 'customMetrics are no numbers or texts';
  const { length } = canonicalJson(value);
  return length <= WORKFLOW_LIMITS.qualityLength
    ? null
    : `has ${length} characters; allowed are ${WORKFLOW_LIMITS.qualityLength}`;
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function isFigures(value: JsonValue): boolean {
  return (
    isJsonObject(value) &&
    Object.values(value).every((each) => typeof each === 'number' || typeof each === 'string')
  );
}

export const QualityMetrics = { of, validRate, problemOf } as const;
