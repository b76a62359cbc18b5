/** What workflow runs have to be told: who has something, and what. */
import { TELL_DRIVERS_SQL } from '../control/channel.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { NEVER } from '../runs/hand-over.ts';
import { recordTooLate } from './too-late.ts';
import type { RemovedEvent } from './too-late.ts';

/** Due rows one look reads: a workflow with more of them leaves room for no other for one advance, not longer. */
const LOOK = 2_000;

export const DUE_WORKFLOWS_SQL = `WITH d AS (
  SELECT workflow_run_id, due_at FROM workflow_inbox WHERE due_at <= now() ORDER BY due_at LIMIT ${LOOK}
)
SELECT (SELECT coalesce(json_agg(json_build_array(id, n) ORDER BY first, id), '[]') FROM (
    SELECT workflow_run_id::text AS id, count(*) AS n, min(due_at) AS first FROM d GROUP BY workflow_run_id ORDER BY first, id LIMIT $1
  ) w) AS due,
  (SELECT (extract(epoch FROM min(due_at) - now()) * 1000)::float8 FROM workflow_inbox WHERE due_at > now()) AS next_ms`;

/** A workflow run with so many things to be told, as far as the look has counted. */
export interface DueWorkflow {
  readonly runId: string;
  readonly events: number;
}

export interface DueWorkflows {
  /** Those that have waited longest first. */
  readonly due: readonly DueWorkflow[];
  /** Milliseconds until the next thing is due that is not yet; null when nothing is to come. */
  readonly nextMs: number | null;
}

/** Workflow runs that have something due, and when the next of them will. Decides nothing. */
export async function dueWorkflows(db: Queryable, limit: number): Promise<DueWorkflows> {
  const { rows } = await db.query<{ due: [string, number][]; next_ms: number | null }>({
    name: 'spine_due_workflows',
    text: DUE_WORKFLOWS_SQL,
    values: [limit],
  });
  const [row] = rows;
  return {
    due: row?.due.map(([runId, events]) => ({ runId, events })) ?? [],
    nextMs: row?.next_ms ?? null,
  };
}

/** Puts off what is due of a workflow that could not be advanced, so that it does not keep others from their turn. */
export async function putOffInbox(db: Db, workflowRunId: string, seconds: number): Promise<void> {
  await asQueryable(db).query({
    text: `UPDATE workflow_inbox SET due_at = now() + $2::float8 * interval '1 second'
WHERE workflow_run_id = $1::uuid AND due_at <= now()`,
    values: [workflowRunId, seconds],
  });
}

/**
 * Tells a workflow run something, in the caller's transaction or by itself; false where no workflow of that id goes on. The
 * commit wakes the drivers.
 * @param event JSON.
 */
export async function tellWorkflow(
  db: Db | DbTransaction,
  workflowRunId: string,
  event: unknown,
): Promise<boolean> {
  const { rows } = await asQueryable(db).query<{ event_seq: number }>({
    text: `INSERT INTO workflow_inbox (workflow_run_id, event)
SELECT run_id, $2::jsonb FROM workflow_runs WHERE run_id = $1::uuid AND status <> 'ended'
RETURNING event_seq, ${TELL_DRIVERS_SQL}`,
    values: [workflowRunId, JSON.stringify(event)],
  });
  return rows.length > 0;
}

export interface NewTimer {
  readonly workflowRunId: string;
  readonly timer: string;
  /** JSON of what is told when it is due. */
  readonly event: unknown;
  readonly at: Date;
}

/** Sets timers; one that is set already stays as it is. */
export async function setTimers(trx: DbTransaction, timers: readonly NewTimer[]): Promise<void> {
  if (timers.length === 0) return;
  await asQueryable(trx).query({
    text: `INSERT INTO workflow_inbox (workflow_run_id, timer, event, due_at)
SELECT t.workflow_run_id, t.timer, t.event::jsonb, LEAST(t.at, ${NEVER} - interval '1 day')
FROM unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[]) AS t(workflow_run_id, timer, event, at)
ON CONFLICT (workflow_run_id, timer) WHERE timer IS NOT NULL DO NOTHING`,
    values: [
      plainArray(timers.map(({ workflowRunId }) => workflowRunId)),
      textArray(timers.map(({ timer }) => timer)),
      textArray(timers.map(({ event }) => JSON.stringify(event))),
      plainArray(timers.map(({ at }) => at.toISOString())),
    ],
  });
}

export async function clearTimers(
  trx: DbTransaction,
  timers: readonly Pick<NewTimer, 'workflowRunId' | 'timer'>[],
): Promise<void> {
  if (timers.length === 0) return;
  await asQueryable(trx).query({
    text: `DELETE FROM workflow_inbox i USING unnest($1::uuid[], $2::text[]) AS t(workflow_run_id, timer)
WHERE i.workflow_run_id = t.workflow_run_id AND i.timer = t.timer`,
    values: [
      plainArray(timers.map(({ workflowRunId }) => workflowRunId)),
      textArray(timers.map(({ timer }) => timer)),
    ],
  });
}

/** Removes what came for workflow runs that have ended meanwhile: it counts for nothing any more. */
export async function clearEndedInboxes(
  trx: DbTransaction,
  workflowRunIds: readonly string[],
): Promise<void> {
  if (workflowRunIds.length === 0) return;
  const { rows } = await asQueryable(trx).query<RemovedEvent>({
    text: `DELETE FROM workflow_inbox i WHERE i.workflow_run_id = ANY ($1::uuid[])
  AND NOT EXISTS (SELECT 1 FROM workflow_runs w WHERE w.run_id = i.workflow_run_id AND w.status <> 'ended')
RETURNING i.workflow_run_id, i.event, i.timer`,
    values: [plainArray(workflowRunIds)],
  });
  await recordTooLate(trx, rows);
}
