/**
 * Desired work: that a workflow be done for a partition, from an instant on. An item is a wish, a run is one go at it.
 *
 * `attempt_count` rises with every claim and never falls. It is the fence: whoever holds an item says at which attempt,
 * and is refused once somebody else has claimed it.
 */

export const WORK_ITEM_STATES = [
  'PENDING',
  'RUNNING',
  'COMPLETE',
  'FAILED',
  'RETRY_WAIT',
  'CANCELLED',
] as const;
export type WorkItemState = (typeof WORK_ITEM_STATES)[number];

const TRANSITIONS: Readonly<Record<WorkItemState, readonly WorkItemState[]>> = {
  PENDING: ['RUNNING', 'CANCELLED'],
  // To RUNNING again: its lock was over and somebody else has claimed it.
  RUNNING: ['RUNNING', 'COMPLETE', 'FAILED', 'RETRY_WAIT', 'CANCELLED'],
  RETRY_WAIT: ['RUNNING', 'CANCELLED'],
  COMPLETE: [],
  FAILED: [],
  CANCELLED: [],
};

/** Whether an item may go from `from` to `to`. */
export function canMoveWorkItem(from: WorkItemState, to: WorkItemState): boolean {
  return TRANSITIONS[from].includes(to);
}

/** Whether nothing happens to it any more. */
export function isWorkItemOver(state: WorkItemState): boolean {
  return TRANSITIONS[state].length === 0;
}

export interface WorkItemRetry {
  /** Before the first retry, in milliseconds; doubles with each further one. Default 60,000. */
  readonly delayMs?: number;
  /** The longest wait. Default 6 hours. */
  readonly maxDelayMs?: number;
}

/** What becomes of an item whose attempt failed. */
export type WorkItemFailure =
  { readonly state: 'RETRY_WAIT'; readonly delayMs: number } | { readonly state: 'FAILED' };

const DELAY_MS = 60_000;
const MAX_DELAY_MS = 6 * 3_600_000;

/** @param attempt the one that failed, from 1. @param retryable false: trying again does not mend it. */
export function afterWorkItemFailure(
  {
    attempt,
    maxAttempts,
    retryable,
  }: { readonly attempt: number; readonly maxAttempts: number; readonly retryable: boolean },
  { delayMs = DELAY_MS, maxDelayMs = MAX_DELAY_MS }: WorkItemRetry = {},
): WorkItemFailure {
  if (!retryable || attempt >= maxAttempts) return { state: 'FAILED' };
  return { state: 'RETRY_WAIT', delayMs: Math.min(maxDelayMs, delayMs * 2 ** Math.min(attempt - 1, 40)) };
}
