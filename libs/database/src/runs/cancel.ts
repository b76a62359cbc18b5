/**
 * Cancelling: guarded like everything else, and with all that a run has started.
 *
 * 1. A cancelled run's epoch is raised, so that whatever its worker still writes is refused. 2. Its descendants are
 * cancelled in the same transaction, level by level, each by a statement that sees what has committed by then; a child
 * on its way in waits for its parent's row and finds the fence raised. 3. A terminal run is left as it is, what it has
 * started is not.
 */
import type { RunStatus } from '@spine/core';
import { notifyWorkers } from '../control/channel.ts';
import type { ControlMessage } from '../control/channel.ts';
import { classifySqlFault } from '../sql/errors.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';

export type CancelOutcome =
  | { readonly type: 'cancelled'; readonly from: RunStatus; readonly descendants: number }
  | { readonly type: 'terminal'; readonly status: RunStatus }
  | { readonly type: 'not_found' };

interface CancelledRow {
  id: string;
  parent_run_id: string | null;
  epoch: number;
  old_status: RunStatus;
}

/** @param reason what the history says, in SQL over `u`. */
const cancelSql = (candidates: string, reason: string): string => `WITH o AS (
  SELECT id, status FROM runs
  WHERE ${candidates} AND status || '' IN ('pending', 'queued', 'running', 'paused') ORDER BY id FOR UPDATE
), u AS (
  UPDATE runs r SET status = 'cancelled', epoch = r.epoch + 1, completed_at = now(), dispatch_after = NULL,
    lease_owner = NULL, lease_expires_at = NULL, deadline_at = NULL
  FROM o WHERE r.id = o.id
  RETURNING r.id, r.parent_run_id, r.epoch, o.status AS old_status
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, terminal, data, source)
  SELECT id, epoch, 'cancelled', true, jsonb_build_object('reason', ${reason}, 'from', old_status), $3 FROM u
)
SELECT id, parent_run_id, epoch, old_status FROM u`;

export const CANCEL_SQL = cancelSql('id = ANY($1::uuid[])', '$2::text');
export const CANCEL_CHILDREN_SQL = cancelSql(
  'parent_run_id = ANY($1::uuid[])',
  `COALESCE($2::text, 'parent ' || parent_run_id || ' was cancelled')`,
);

/** Deadlocks with a settlement of the same runs are tried again this often. */
const TRIES = 5;

/**
 * Cancels a run that is not finished, with everything it has started, and tells their workers.
 *
 * @param reason kept in the history; @param source who asked.
 */
export async function cancelRun(
  db: Db,
  runId: string,
  reason: string | null,
  source: string,
): Promise<CancelOutcome> {
  const outcomes = await cancelRuns(db, [runId], reason, source);
  return outcomes.get(runId) ?? { type: 'not_found' };
}

/** The same for many at once: all of them or, when it throws, none. Answers for each. */
export async function cancelRuns(
  db: Db,
  runIds: readonly string[],
  reason: string | null,
  source: string,
): Promise<ReadonlyMap<string, CancelOutcome>> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await cancelTrees(db, runIds, reason, source);
    } catch (error) {
      if (classifySqlFault(error) !== 'conflict' || tried === TRIES) throw error;
    }
  }
}

interface CancelledTrees {
  readonly roots: readonly CancelledRow[];
  /** By the root they descend from. */
  readonly descendants: ReadonlyMap<string, readonly CancelledRow[]>;
}

async function cancelTreesIn(
  on: Queryable,
  runIds: readonly string[],
  reason: string | null,
  source: string,
): Promise<CancelledTrees> {
  const { rows } = await on.query<CancelledRow>({ text: CANCEL_SQL, values: [runIds, reason, source] });
  return { roots: rows, descendants: await cancelDescendants(on, rows, source) };
}

function rowsOf({ roots, descendants }: CancelledTrees): readonly CancelledRow[] {
  return [...roots, ...[...descendants.values()].flat()];
}

function messagesOf(cancelled: CancelledTrees): ControlMessage[] {
  return rowsOf(cancelled)
    .filter((row) => row.old_status === 'running')
    .map(({ id, epoch }) => ({ type: 'taken', runId: id, epoch, reason: 'cancelled' }));
}

/**
 * Cancels runs with all they have started as a part of the transaction of `on`, whose commit tells their workers. Runs
 * that have ended are left as they are. May deadlock with a settlement of the same runs: the transaction is to be tried again.
 * @returns all that it has cancelled.
 */
export async function cancelRunsIn(
  on: Queryable,
  runIds: readonly string[],
  reason: string | null,
  source: string,
): Promise<readonly string[]> {
  if (runIds.length === 0) return [];
  const cancelled = await cancelTreesIn(on, runIds, reason, source);
  await notifyWorkers(on, messagesOf(cancelled));
  return rowsOf(cancelled).map(({ id }) => id);
}

/** The same for the runs alone: what they have started is left as it is. */
export async function cancelOnlyIn(
  on: Queryable,
  runIds: readonly string[],
  reason: string | null,
  source: string,
): Promise<void> {
  if (runIds.length === 0) return;
  const { rows } = await on.query<CancelledRow>({ text: CANCEL_SQL, values: [runIds, reason, source] });
  await notifyWorkers(on, messagesOf({ roots: rows, descendants: new Map() }));
}

async function cancelTrees(
  db: Db,
  runIds: readonly string[],
  reason: string | null,
  source: string,
): Promise<ReadonlyMap<string, CancelOutcome>> {
  const cancelled = await db
    .transaction()
    .execute((trx) => cancelTreesIn(asQueryable(trx), runIds, reason, source));
  const { roots, descendants } = cancelled;
  const messages = messagesOf(cancelled);
  // What had started them hears of it by their rows; its driver may be asleep.
  if (cancelled.roots.some((row) => row.parent_run_id !== null)) messages.push({ type: 'workflows' });
  // The workers' next heartbeat says the same.
  await notifyWorkers(asQueryable(db), messages).catch(() => undefined);
  const outcomes = new Map<string, CancelOutcome>();
  for (const { id, old_status: from } of roots) {
    outcomes.set(id, { type: 'cancelled', from, descendants: descendants.get(id)?.length ?? 0 });
  }
  const rest = runIds.filter((runId) => !outcomes.has(runId));
  for (const [runId, status] of await statusesOf(db, rest)) outcomes.set(runId, { type: 'terminal', status });
  return outcomes;
}

/** What was cancelled below each root, level by level. */
async function cancelDescendants(
  on: Queryable,
  roots: readonly CancelledRow[],
  source: string,
): Promise<ReadonlyMap<string, CancelledRow[]>> {
  const below = new Map<string, CancelledRow[]>();
  /** Every run seen so far, and the root it descends from. */
  const rootOf = new Map(roots.map(({ id }) => [id, id]));
  let level = [...rootOf.keys()];
  while (level.length > 0) {
    const { rows } = await on.query<CancelledRow>({
      text: CANCEL_CHILDREN_SQL,
      values: [level, null, source],
    });
    for (const row of rows) {
      const root = rootOf.get(row.parent_run_id ?? '') ?? '';
      const siblings = below.get(root);
      if (siblings === undefined) below.set(root, [row]);
      else siblings.push(row);
    }
    // Finished children too: what they started may still run.
    const children = await on.query<{ id: string; parent_run_id: string }>({
      text: 'SELECT id, parent_run_id FROM runs WHERE parent_run_id = ANY($1::uuid[])',
      values: [level],
    });
    level = [];
    for (const { id, parent_run_id: parent } of children.rows) {
      const root = rootOf.get(parent);
      if (root === undefined || rootOf.has(id)) continue;
      rootOf.set(id, root);
      level.push(id);
    }
  }
  return below;
}

async function statusesOf(db: Db, runIds: readonly string[]): Promise<ReadonlyMap<string, RunStatus>> {
  if (runIds.length === 0) return new Map();
  const rows = await db
    .selectFrom('runs')
    .select(['id', 'status'])
    .where('id', 'in', [...runIds])
    .execute();
  return new Map(rows.map(({ id, status }) => [id, status]));
}
