/**
 * What workers write, as functions of a row: null is a statement that touched nothing. `matches-sql.spec.ts` compares
 * each with the statement of the same name in libs/database/src/runs.
 */
import { assertNever } from '@spine/core';
import type { Settlement } from '@spine/database';
import type { Guards } from './guards.ts';
import { hasExpired, isWaiting, least, LEASE_MS } from './row.ts';
import type { Change, Row } from './row.ts';

export interface ClaimInput {
  readonly worker: number;
  /** The poll's claim, which takes only what no hint has brought to a worker in time. */
  readonly overdue: boolean;
  readonly lanePaused: boolean;
}

export function claimRow(row: Row, input: ClaimInput, now: number, guards: Guards): Change | null {
  if (guards.claimStatus && !isWaiting(row.status)) return null;
  if (guards.claimDue && row.availableAt > now) return null;
  if (guards.claimBudget && row.attempt >= row.spec.maxAttempts) return null;
  if (guards.claimExpiry && hasExpired(row, now)) return null;
  if (guards.claimLane && input.lanePaused) return null;
  if (input.overdue && (row.dispatchAfter === null || row.dispatchAfter > now)) return null;
  const epoch = row.epoch + (guards.claimRaisesEpoch ? 1 : 0);
  return {
    row: {
      ...row,
      status: 'running',
      epoch,
      attempt: row.attempt + 1,
      started: true,
      leaseOwner: input.worker,
      leaseExpiresAt: now + LEASE_MS,
      deadlineAt: least(now + row.spec.timeoutMs, row.runDeadlineAt),
      dispatchAfter: null,
    },
    event: { type: 'started', epoch, terminal: false },
    deadLetter: false,
  };
}

/** Whether the row names this worker as its holder: after a claim without an answer, whether it happened. */
export function isHeldBy(row: Row, worker: number): boolean {
  return row.status === 'running' && row.leaseOwner === worker;
}

/** What a settling attempt knows about itself. */
export interface SettleInput {
  readonly epoch: number;
  readonly attempt: number;
  readonly settlement: Settlement;
}

function isSettlers(row: Row, input: SettleInput, guards: Guards): boolean {
  if (guards.settleStatus && row.status !== 'running') return false;
  switch (guards.settleFence) {
    case 'epoch':
      return row.epoch === input.epoch;
    case 'attempt':
      return row.attempt === input.attempt;
    case 'none':
      return true;
    default:
      return assertNever(guards.settleFence);
  }
}

export function settleRow(row: Row, input: SettleInput, now: number, guards: Guards): Change | null {
  if (!isSettlers(row, input, guards)) return null;
  const released = {
    ...row,
    finishedEpoch: input.epoch,
    leaseOwner: null,
    leaseExpiresAt: null,
    deadlineAt: null,
  };
  const { settlement } = input;
  switch (settlement.type) {
    case 'completed':
    case 'failed':
    case 'timed_out':
    case 'dead_lettered':
      return {
        row: { ...released, status: settlement.type, dispatchAfter: null },
        event: { type: settlement.type, epoch: input.epoch, terminal: true },
        deadLetter: settlement.type === 'dead_lettered' && guards.deadLetterWritten === 'same_statement',
      };
    case 'retry': {
      const at = now + settlement.delayMs;
      return {
        row: { ...released, status: 'queued', availableAt: at, dispatchAfter: at },
        event: { type: 'retry_scheduled', epoch: input.epoch, terminal: false },
        deadLetter: false,
      };
    }
    case 'handed_back':
    case 'deferred': {
      const at = now + (settlement.type === 'deferred' ? settlement.delayMs : 0);
      return {
        row: {
          ...released,
          status: 'queued',
          epoch: row.epoch + HAND_BACK_STEP[guards.handBackEpoch],
          attempt: row.attempt - 1,
          availableAt: at,
          dispatchAfter: at,
        },
        event: { type: settlement.type, epoch: input.epoch, terminal: false },
        deadLetter: false,
      };
    }
    default:
      return assertNever(settlement);
  }
}

const HAND_BACK_STEP = { raised: 1, kept: 0, lowered: -1 } as const;

/** Extends a lease. */
export function heartbeatRow(row: Row, epoch: number, now: number, guards: Guards): Change | null {
  if (guards.heartbeatEpoch && row.epoch !== epoch) return null;
  if (guards.heartbeatStatus && row.status !== 'running') return null;
  return { row: { ...row, leaseExpiresAt: now + LEASE_MS }, event: null, deadLetter: false };
}

/** An event that a handler reports, under the fence of its attempt. */
export function handlerEventRow(row: Row, epoch: number, guards: Guards): Change | null {
  if (guards.eventEpoch && row.epoch !== epoch) return null;
  if (guards.eventStatus && row.status !== 'running') return null;
  return { row, event: { type: 'progress', epoch, terminal: false }, deadLetter: false };
}
