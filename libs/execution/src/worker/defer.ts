import { SpineError, toStorableText, truncateText, ValidationError } from '@spine/core';
import { MAX_RETRY_AFTER_MS } from '../policy/retry.ts';

const MAX_REASON = 1_000;

/** What Spine itself defers a run by at least: a gate that opens at once may be shut again before the run is back. */
export const SHORTEST_DEFERRAL_MS = 1_000;

/**
 * Puts the run off: thrown by a handler, it ends the attempt without charging it, and the run waits for `delayMs`. A
 * handler that catches everything must throw it on.
 */
export class RunDeferredError extends SpineError {
  readonly delayMs: number;
  readonly reason: string;

  /**
   * @param delayMs 0 to seven days; more counts as seven days.
   * @throws ValidationError for a negative or non-finite delay.
   */
  constructor(delayMs: number, reason: string) {
    if (!Number.isFinite(delayMs) || delayMs < 0) {
      throw new ValidationError(`a run cannot be deferred by ${delayMs} ms; give a number of at least 0`, {
        issues: [{ field: 'delayMs', code: 'out_of_range', message: 'must be a number of at least 0' }],
      });
    }
    const kept = toStorableText(truncateText(reason, MAX_REASON));
    super(`deferred: ${kept}`, { retryable: true, retryAfterSeconds: delayMs / 1_000 });
    this.delayMs = Math.min(Math.ceil(delayMs), MAX_RETRY_AFTER_MS);
    this.reason = kept;
  }
}
