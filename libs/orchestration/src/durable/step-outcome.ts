/**
 * How the result of a step travels through the row of its run, and comes out again. Pure.
 *
 * A step that only answers an output keeps it as the run's result, as any run does. One that says more keeps an envelope
 * `{ spine_step: 1, … }`. A failure is the run's error.
 */
import { assertNever, ErrorCategory, isJsonObject, SpineError } from '@spine/core';
import type { ErrorInfo, JsonObject, JsonValue, RunStatus } from '@spine/core';
import type { StoredError } from '@spine/database';
import type { QualityMetrics } from '../workflow/quality-metrics.ts';
import { StepResult } from '../workflow/step-result.ts';

/** What of a run says how its step has ended. */
export interface EndedStep {
  readonly status: RunStatus;
  readonly result: unknown;
  readonly error: StoredError | null;
}

/** Thrown in place of a failure that a step has returned, so that its run fails with it. */
export class StepFailedError extends SpineError {
  readonly #quality: QualityMetrics | null;

  constructor(error: ErrorInfo, quality: QualityMetrics | null = null) {
    super(error.message, {
      category: error.category,
      retryable: error.retryable,
      ...(error.retryAfterSeconds === null ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
    });
    this.name = error.type;
    this.#quality = quality;
  }

  override get details(): JsonObject | null {
    return this.#quality === null ? null : { quality: { ...this.#quality } };
  }
}

const ENVELOPE = 'spine_step';

/**
 * What a step's run keeps of what its function has returned.
 * @throws StepFailedError for a failure.
 */
export function encodeStepValue(value: JsonValue | StepResult | undefined): JsonObject {
  const result = StepResult.fromValue(value);
  switch (result.status) {
    case 'fail':
      throw new StepFailedError(result.error, result.quality);
    case 'skip':
      return { [ENVELOPE]: 1, result: asJson(result) };
    case 'ok': {
      const { status: _, output, ...more } = result;
      const plain = Object.keys(more).length === 0 && !Object.hasOwn(output, ENVELOPE);
      return plain ? output : { [ENVELOPE]: 1, result: asJson(result) };
    }
    default:
      return assertNever(result);
  }
}

/** What the planner is told of a run that has ended. */
export function stepResultOf({ status, result, error }: EndedStep): StepResult {
  switch (status) {
    case 'completed':
      return StepResult.fromValue(unwrap(asJson(result)));
    case 'cancelled':
      return { status: 'fail', error: CANCELLED };
    case 'failed':
    case 'timed_out':
    case 'dead_lettered':
      return StepResult.fromValue({ status: 'fail', error: { ...errorInfoOf(error) }, ...qualityOf(error) });
    case 'pending':
    case 'queued':
    case 'running':
    case 'paused':
      return {
        status: 'fail',
        error: { ...CANCELLED, message: `its run is ${status}`, type: 'StepNotEnded' },
      };
    default:
      return assertNever(status);
  }
}

const CANCELLED: ErrorInfo = {
  message: 'its run was cancelled',
  type: 'RunCancelled',
  category: ErrorCategory.ORCHESTRATION,
  retryable: false,
  retryAfterSeconds: null,
};

const UNKNOWN: ErrorInfo = {
  message: 'its run ended without saying why',
  type: 'UnknownError',
  category: ErrorCategory.UNKNOWN,
  retryable: false,
  retryAfterSeconds: null,
};

export function errorInfoOf(error: StoredError | null): ErrorInfo {
  if (error === null) return UNKNOWN;
  const category = Object.values(ErrorCategory).find((each) => each === error.category);
  return {
    message: error.message,
    type: error.type,
    category: category ?? ErrorCategory.UNKNOWN,
    retryable: error.retryable,
    retryAfterSeconds: error.retry_after ?? null,
  };
}

function qualityOf(error: StoredError | null): JsonObject {
  const details = asJson(error?.details);
  const quality = isJsonObject(details) ? details['quality'] : undefined;
  return quality === undefined ? {} : { quality };
}

function unwrap(value: JsonValue): JsonValue {
  if (!isJsonObject(value) || value[ENVELOPE] !== 1) return value;
  return value['result'] ?? null;
}

/** What has gone through JSON, or will. */
function asJson(value: unknown): JsonValue {
  return JSON.parse(JSON.stringify(value ?? null)) as JsonValue;
}
