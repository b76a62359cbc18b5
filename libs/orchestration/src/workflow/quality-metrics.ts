import { ValidationError } from '@spine/core';

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
  const isCount = (count: number): boolean => Number.isSafeInteger(count) && count >= 0;
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

export const QualityMetrics = { of, validRate } as const;
