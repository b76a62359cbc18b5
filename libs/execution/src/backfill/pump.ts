/**
 * Carries backfill plans forward: looks at the runs that were open, submits the next ones, ends what is done.
 *
 * 1. A round of a plan is one transaction under the lock of the plan's row: a partition's run is stored and the partition
 *    is marked in the same commit, or neither is. A process that dies at any point leaves the plan as it was before the
 *    round; two pumps never work on one plan at once, the second one skips it.
 * 2. The key of a run names plan, partition and attempt and is unique: even a pump that did not hold 1 could not do an
 *    attempt twice. A run that was there already under the key is taken when it asks for the same, refused when not.
 * 3. At most a window of a plan's runs is submitted, and its concurrency gate lets in `concurrency` of them: however many
 *    partitions a plan has, the queue and the slots stay free for daily work.
 * 4. A plan that does not run submits nothing. Runs that were open when it was cancelled are cancelled here again, should
 *    the canceller have died before it came to it.
 * 5. A process that stands still in a round loses its transaction after a few seconds.
 */
import { assertNever, backfillEnd, backfillWindow, isTerminal } from '@spine/core';
import {
  asQueryable,
  cancelRuns,
  endBackfill,
  failPending,
  insertRuns,
  lockBackfill,
  markSubmitted,
  openPartitions,
  pendingPartitions,
  settlePartitions,
} from '@spine/database';
import type {
  Backfill,
  BackfillPartition,
  Db,
  DbTransaction,
  InsertOutcome,
  NewRun,
  PartitionError,
} from '@spine/database';
import { sql } from 'kysely';
import { announceReruns } from '../dead-letter/replay.ts';
import type { ReplayServices } from '../dead-letter/replay.ts';
import { newRun } from '../spec/new-run.ts';
import { partitionRunSpec } from './spec.ts';
import { verdictsOf } from './verdict.ts';

export type PumpServices = ReplayServices;

/** What a round did. */
export interface PumpRound {
  readonly settled: number;
  readonly submitted: number;
  readonly ended: 'COMPLETED' | 'FAILED' | null;
}

/** Runs stored by one round, at the most; the next round goes on. */
const CHUNK = 500;
const IDLE_TIMEOUT_MS = 5_000;

interface Stored extends PumpRound {
  readonly fresh: readonly NewRun[];
  readonly toCancel: readonly string[];
}

/** One round of one plan; null when somebody else is at it, or it is gone. */
export async function pumpBackfill(services: PumpServices, backfillId: string): Promise<PumpRound | null> {
  const hinted = services.publisher.available;
  const round = await services.db.transaction().execute(async (trx): Promise<Stored | null> => {
    await sql`SELECT set_config('idle_in_transaction_session_timeout', ${String(IDLE_TIMEOUT_MS)}, true)`.execute(
      trx,
    );
    const plan = await lockBackfill(trx, backfillId);
    return plan === null ? null : carryForward(trx, plan, hinted);
  });
  if (round === null) return null;
  announceReruns(services, round.fresh, hinted);
  await cancelOpen(services.db, backfillId, round.toCancel);
  const { settled, submitted, ended } = round;
  return { settled, submitted, ended };
}

async function carryForward(trx: DbTransaction, plan: Backfill, hinted: boolean): Promise<Stored> {
  const { backfillId } = plan;
  const open = await openPartitions(trx, backfillId);
  const settled = verdictsOf(open, plan.maxAttempts);
  const counts = settled.length === 0 ? plan : await settlePartitions(trx, backfillId, settled);
  const toCancel = open
    .filter(
      ({ status, runStatus }) => status === 'CANCELLING' && runStatus !== null && !isTerminal(runStatus),
    )
    .map(({ runId }) => runId);
  const idle = { settled: settled.length, submitted: 0, ended: null, fresh: [], toCancel };
  if (plan.status !== 'RUNNING') return idle;
  const end = backfillEnd(counts);
  if (end !== null) return { ...idle, ended: (await endBackfill(trx, backfillId, end)) ? end : null };
  const room = backfillWindow(plan.concurrency) - (open.length - settled.length);
  if (room <= 0) return idle;
  const waiting = await pendingPartitions(trx, backfillId, Math.min(room, CHUNK));
  return { ...idle, ...(await submit(trx, plan, waiting, hinted)) };
}

/** Stores the runs of these partitions and marks them, in the transaction given. */
async function submit(
  trx: DbTransaction,
  plan: Backfill,
  partitions: readonly BackfillPartition[],
  hinted: boolean,
): Promise<Pick<Stored, 'submitted' | 'fresh'>> {
  if (partitions.length === 0) return { submitted: 0, fresh: [] };
  const planned = partitions.map((partition) => ({
    partition,
    run: newRun(partitionRunSpec(plan, partition)),
  }));
  const outcomes = await insertRuns(
    asQueryable(trx),
    planned.map(({ run }) => run),
    { ambiguous: false, hinted },
  );
  const submitted: { ordinal: number; runId: string }[] = [];
  const refused: { ordinal: number; error: PartitionError }[] = [];
  const fresh: NewRun[] = [];
  for (const [index, { partition, run }] of planned.entries()) {
    const runId = runOf(outcomes[index], run);
    if (runId === null) refused.push({ ordinal: partition.ordinal, error: keyTaken(run) });
    else submitted.push({ ordinal: partition.ordinal, runId });
    if (runId === run.runId) fresh.push(run);
  }
  if (submitted.length > 0) await markSubmitted(trx, plan.backfillId, submitted);
  if (refused.length > 0) await failPending(trx, plan.backfillId, refused);
  return { submitted: submitted.length, fresh };
}

/** The run that stands for the attempt; null when its key belongs to other work. */
function runOf(outcome: InsertOutcome | undefined, run: NewRun): string | null {
  switch (outcome?.type) {
    case 'inserted':
      return outcome.runId;
    case 'existing':
      return outcome.run.specHash === run.specHash ? outcome.run.runId : null;
    case 'fenced':
    case undefined:
      return null;
    default:
      return assertNever(outcome);
  }
}

function keyTaken(run: NewRun): PartitionError {
  const message = `idempotency key ${run.idempotencyKey ?? ''} belongs to a run that asked for something else`;
  return { type: 'ConflictError', message, category: 'VALIDATION', retryable: false };
}

/** Cancels runs of a plan that was cancelled; those that have ended meanwhile stay as they are. */
export async function cancelOpen(db: Db, backfillId: string, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  await cancelRuns(db, runIds, `backfill ${backfillId} was cancelled`, 'backfill');
}
