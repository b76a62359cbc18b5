/** The row of a run as the engine's statements see it. Times are milliseconds of the database's clock. */
import type { RunStatus } from '@spine/core';

/** What a submitter says about a run. Times are relative to the submission; null for none. */
export interface Spec {
  readonly maxAttempts: number;
  readonly timeoutMs: number;
  readonly retryDelayMs: number;
  readonly deadLetter: boolean;
  readonly runAfterMs: number | null;
  readonly expiresMs: number | null;
  readonly deadlineMs: number | null;
}

export interface Row {
  readonly status: RunStatus;
  readonly epoch: number;
  readonly attempt: number;
  readonly crashCount: number;
  /** Whether an attempt has ever started. */
  readonly started: boolean;
  /** The number of the worker process that holds it. */
  readonly leaseOwner: number | null;
  readonly leaseExpiresAt: number | null;
  readonly deadlineAt: number | null;
  readonly availableAt: number;
  readonly dispatchAfter: number | null;
  readonly dispatchNo: number;
  readonly finishedEpoch: number | null;
  readonly expiresAt: number | null;
  readonly runDeadlineAt: number | null;
  readonly spec: Spec;
}

export interface WrittenEvent {
  readonly type: string;
  readonly epoch: number;
  readonly terminal: boolean;
}

/** What a statement does to one row, in one transaction. */
export interface Change {
  readonly row: Row;
  readonly event: WrittenEvent | null;
  readonly deadLetter: boolean;
}

export const LEASE_MS = 30_000;
export const HEARTBEAT_MS = 10_000;
/** The reaper leaves the holder this long to settle a time-out itself. */
export const REAP_GRACE_MS = 2_000;
/** How long a hint may take before the relay sends another. */
export const HINT_GRACE_MS = 15_000;

export function isWaiting(status: RunStatus): boolean {
  return status === 'queued' || status === 'pending';
}

/** The earlier of those that are set; null when none is. As LEAST in SQL. */
export function least(...times: readonly (number | null)[]): number | null {
  let first: number | null = null;
  for (const time of times) if (time !== null && (first === null || time < first)) first = time;
  return first;
}

export function leaseIsOver(row: Row, now: number): boolean {
  return row.leaseExpiresAt !== null && row.leaseExpiresAt < now - REAP_GRACE_MS;
}

/** Lease or deadline past, with the grace of the reaper. */
export function isOverdue(row: Row, now: number): boolean {
  const over = least(row.leaseExpiresAt, row.deadlineAt);
  return over !== null && over < now - REAP_GRACE_MS;
}

/** When a waiting run's time is over: not started by `expires_at`, or not done by `run_deadline_at`. */
export function waitsUntil(row: Row): number | null {
  return least(row.started ? null : row.expiresAt, row.runDeadlineAt);
}

export function hasExpired(row: Row, now: number): boolean {
  const until = waitsUntil(row);
  return until !== null && until <= now;
}
