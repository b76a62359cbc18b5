/**
 * What operators and the scheduler's services write, as functions of a row: null is a statement that touched
 * nothing. `matches-sql.spec.ts` compares each with the statement of the same name in libs/database/src/runs.
 */
import { isTerminal } from '@spine/core';
import { CRASH_LIMIT } from '@spine/database';
import type { RunStatus } from '@spine/core';
import type { Guards } from './guards.ts';
import { hasExpired, HINT_GRACE_MS, isOverdue, isWaiting, leaseIsOver } from './row.ts';
import type { Change, Row } from './row.ts';

/** A run without its holder. */
function taken(row: Row, status: RunStatus, raise: boolean): Row {
  return {
    ...row,
    status,
    epoch: row.epoch + (raise ? 1 : 0),
    leaseOwner: null,
    leaseExpiresAt: null,
    deadlineAt: null,
    dispatchAfter: null,
  };
}

export function cancelRow(row: Row, guards: Guards): Change | null {
  if (guards.cancelStatus && isTerminal(row.status)) return null;
  const next = taken(row, 'cancelled', guards.cancelRaisesEpoch);
  return {
    row: next,
    event: { type: 'cancelled', epoch: next.epoch, terminal: true },
    deadLetter: false,
  };
}

export function pauseRow(row: Row, guards: Guards): Change | null {
  if (guards.pauseStatus && !isWaiting(row.status) && row.status !== 'running') return null;
  const next = taken(row, 'paused', guards.pauseRaisesEpoch);
  return {
    row: { ...next, attempt: row.attempt - (row.status === 'running' ? 1 : 0) },
    event: { type: 'paused', epoch: next.epoch, terminal: false },
    deadLetter: false,
  };
}

export function resumeRow(row: Row, now: number): Change | null {
  if (row.status !== 'paused') return null;
  const at = Math.max(row.availableAt, now);
  return {
    row: { ...row, status: row.availableAt > now ? 'pending' : 'queued', dispatchAfter: at },
    event: { type: 'resumed', epoch: row.epoch, terminal: false },
    deadLetter: false,
  };
}

/** Whether a reaper's read finds the run. `now` is the reaper's own clock where the guards say so. */
export function isReapable(row: Row, now: number, guards: Guards): boolean {
  if (row.status !== 'running') return false;
  return guards.reapDeadlines ? isOverdue(row, now) : leaseIsOver(row, now);
}

/** The reaper's UPDATE of a run that its read has `seen`. */
export function reapRow(row: Row, seen: Row, now: number, guards: Guards): Change | null {
  if (guards.reapRecheck !== 'none' && row.status !== 'running') return null;
  if (guards.reapRecheck === 'status_and_time' && !isReapable(row, now, guards)) return null;
  const by = guards.reapDecidesBy === 'row' ? row : seen;
  const crashed = leaseIsOver(by, now);
  const crashes = crashed ? 1 : 0;
  const spent =
    (by.runDeadlineAt !== null && by.runDeadlineAt <= now) ||
    (guards.reapBudget && by.attempt >= by.spec.maxAttempts) ||
    (guards.reapCrashLimit && by.crashCount + crashes >= CRASH_LIMIT);
  const status = spent ? spentStatus(row, crashed) : 'queued';
  const next = taken(row, status, guards.reapRaisesEpoch);
  const at = crashed ? now : now + row.spec.retryDelayMs;
  return {
    row: {
      ...next,
      crashCount: row.crashCount + crashes,
      ...(spent ? {} : { availableAt: at, dispatchAfter: at }),
    },
    event: {
      type: spent ? status : crashed ? 'lease_expired' : 'retry_scheduled',
      epoch: next.epoch,
      terminal: spent,
    },
    deadLetter: status === 'dead_lettered' && guards.deadLetterWritten === 'same_statement',
  };
}

function spentStatus(row: Row, crashed: boolean): RunStatus {
  if (row.spec.deadLetter) return 'dead_lettered';
  return crashed ? 'failed' : 'timed_out';
}

export function isDueForHint(row: Row, now: number): boolean {
  return isWaiting(row.status) && row.dispatchAfter !== null && row.dispatchAfter <= now;
}

/** The relay's UPDATE of a run that was due for a hint when it read it. */
export function relayRow(row: Row, now: number, guards: Guards): Change | null {
  if (guards.relayRecheck && !isDueForHint(row, now)) return null;
  return {
    row: {
      ...row,
      status: 'queued',
      dispatchNo: row.dispatchNo + 1,
      dispatchAfter: now + HINT_GRACE_MS * 2 ** Math.min(row.dispatchNo, 2),
    },
    event: null,
    deadLetter: false,
  };
}

/** Makes a run due for a hint at once, because its hint could not be sent. */
export function unhintRow(row: Row, now: number, guards: Guards): Change | null {
  if (guards.unhintStatus && !isWaiting(row.status)) return null;
  const at = Math.max(row.availableAt, now);
  return {
    row: { ...row, dispatchAfter: row.dispatchAfter === null ? at : Math.min(row.dispatchAfter, at) },
    event: null,
    deadLetter: false,
  };
}

/** Whether the expirer's read finds the run: it waits, and its time is over. */
export function isExpirable(row: Row, now: number): boolean {
  return (isWaiting(row.status) || row.status === 'paused') && hasExpired(row, now);
}

/** The expirer's UPDATE of a run whose time was over when it read it. */
export function expireRow(row: Row, now: number, guards: Guards): Change | null {
  if (guards.expireRecheck && !isExpirable(row, now)) return null;
  const late = row.runDeadlineAt !== null && row.runDeadlineAt <= now;
  const status: RunStatus = late && row.spec.deadLetter ? 'dead_lettered' : 'timed_out';
  const epoch = row.epoch + 1;
  return {
    row: { ...row, status, epoch, dispatchAfter: null },
    event: { type: status, epoch, terminal: true },
    deadLetter: status === 'dead_lettered' && guards.deadLetterWritten === 'same_statement',
  };
}
