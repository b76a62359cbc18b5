/** What the INSERT writes: a row that waits, and what it makes of one that a worker takes as it is stored. */
import { HINT_HORIZON_MS } from '@spine/database';
import type { Guards } from './guards.ts';
import { HINT_GRACE_MS, LEASE_MS } from './row.ts';
import type { Change, Row, Spec } from './row.ts';

/** A row that did not exist before; `hinted` says that a hint follows. */
export function insertRow(spec: Spec, hinted: boolean, now: number): Change {
  const wait = spec.runAfterMs ?? 0;
  const availableAt = now + wait;
  const from = Math.max(availableAt, now);
  const row: Row = {
    status: availableAt > now ? 'pending' : 'queued',
    epoch: 0,
    attempt: 0,
    crashCount: 0,
    started: false,
    leaseOwner: null,
    leaseExpiresAt: null,
    deadlineAt: null,
    availableAt,
    dispatchAfter: from + (hinted && wait <= HINT_HORIZON_MS ? HINT_GRACE_MS : 0),
    dispatchNo: 0,
    finishedEpoch: null,
    expiresAt: spec.expiresMs === null ? null : now + spec.expiresMs,
    runDeadlineAt: spec.deadlineMs === null ? null : from + spec.deadlineMs,
    spec,
  };
  return { row, event: { type: 'submitted', epoch: 0, terminal: false }, deadLetter: false };
}

/** Whether nothing has to be looked at before a run starts. */
function startsAtOnce({ runAfterMs, expiresMs, deadlineMs }: Spec): boolean {
  return runAfterMs === null && expiresMs === null && deadlineMs === null;
}

/** When and for whom a run is stored as claimed. */
export interface AdoptInput {
  readonly worker: number;
  readonly lanePaused: boolean;
  /** When the transaction began, and when the statement did. */
  readonly begunAt: number;
  readonly now: number;
}

/** What the same statement makes of the row it inserts, as a claim right after it would; null leaves it waiting. */
export function adoptRow(row: Row, input: AdoptInput, guards: Guards): Change | null {
  if (guards.adoptPlain && !startsAtOnce(row.spec)) return null;
  if (guards.adoptLane && input.lanePaused) return null;
  const epoch = guards.adoptRaisesEpoch ? 1 : 0;
  const from = guards.adoptLease === 'statement' ? input.now : input.begunAt;
  return {
    row: {
      ...row,
      status: 'running',
      epoch,
      attempt: 1,
      started: true,
      leaseOwner: input.worker,
      leaseExpiresAt: from + LEASE_MS,
      deadlineAt: input.now + row.spec.timeoutMs,
      dispatchAfter: null,
    },
    event: { type: 'started', epoch, terminal: false },
    deadLetter: false,
  };
}
