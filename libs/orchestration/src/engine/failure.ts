/** Errors of the planner's own, and what a failed attempt leads to. */
import { canonicalJson, ErrorCategory, toErrorInfo } from '@spine/core';
import type { ErrorInfo, JsonObject } from '@spine/core';
import { DEFAULTS, decideSettlement, maxRetriesOf } from '@spine/execution';
import type { RetryPolicy } from '@spine/execution';
import { WORKFLOW_LIMITS } from '../workflow/model.ts';

/** An error that no further attempt helps, unless a policy has a rule for it. */
export function plannedError(
  type: string,
  message: string,
  category: ErrorCategory = ErrorCategory.ORCHESTRATION,
): ErrorInfo {
  const retryable = category === ErrorCategory.TIMEOUT;
  return { ...toErrorInfo(new Error(message)), type, category, retryable };
}

/**
 * Milliseconds until the next attempt; null for none. Spread by a hash of `work` in place of chance, so that a plan that
 * is made again is the same plan.
 *
 * @param tries attempts made so far, the failed one among them.
 */
export function retryAfterMs(
  policy: RetryPolicy | null,
  tries: number,
  error: ErrorInfo,
  work: string,
): number | null {
  if (policy === null) return null;
  const settlement = decideSettlement(
    {
      attempt: tries,
      maxAttempts: (maxRetriesOf(policy) ?? DEFAULTS.maxRetries) + 1,
      retryDelayMs: DEFAULTS.retryDelaySeconds * 1_000,
      deadLetter: false,
    },
    { type: 'threw', error },
    spread(work),
    policy,
  );
  return settlement.type === 'retry' ? settlement.delayMs : null;
}

/** FNV-1a as a number in [0, 1). */
function spread(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0) / 2 ** 32;
}

/** A reference or condition that leads nowhere: the same again next time. */
export function wrongParams(message: string): ErrorInfo {
  return plannedError('BadReferenceError', message, ErrorCategory.VALIDATION);
}

/** The state of a run is read and written again and again: what is large has its place elsewhere. Null when it fits. */
export function sizeProblem(what: string, value: JsonObject): ErrorInfo | null {
  const length = lengthOf(value);
  if (length !== null && length <= WORKFLOW_LIMITS.outputLength) return null;
  const size = length === null ? 'is not JSON' : `has ${length} characters`;
  return plannedError(
    'OutputError',
    `${what}: the value ${size}; allowed are ${WORKFLOW_LIMITS.outputLength} characters of JSON, larger data is an artifact`,
    ErrorCategory.VALIDATION,
  );
}

function lengthOf(value: JsonObject): number | null {
  try {
    return canonicalJson(value).length;
  } catch {
    return null;
  }
}
