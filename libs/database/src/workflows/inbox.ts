/** What workflow runs have to be told: who has something, and what. */
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { NEVER } from '../runs/hand-over.ts';

/** Due rows one look reads: a workflow with more of them leaves room for no other for one advance, not longer. */
const LOOK = 2_000;

export const DUE_WORKFLOWS_SQL = `WITH d AS (
  SELECT workflow_run_id, due_at FROM workflow_inbox WHERE due_at <= now() ORDER BY due_at LIMIT ${LOOK}
)
SELECT workflow_run_id AS id FROM d GROUP BY workflow_run_id ORDER BY min(due_at), id LIMIT $1`;

/** Workflow runs that have something due, those that have waited longest first. Decides nothing. */
export async function dueWorkflows(db: Queryable, limit: number): Promise<string[]> {
  const { rows } = await db.query<{ id: string }>({
    name: 'spine_due_workflows',
    text: DUE_WORKFLOWS_SQL,
    values: [limit],
  });
  return rows.map(({ id }) => id);
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
 * Tells a workflow run something, in the caller's transaction or by itself; false where no workflow of that id goes on.
 * @param event JSON.
 */
export async function tellWorkflow(
  db: Db | DbTransaction,
  workflowRunId: string,
  event: unknown,
): Promise<boolean> {
  const { rows } = await asQueryable(db).query<{ event_seq: number }>({
    text: `INSERT INTO workflow_inbox (workflow_run_id, event)
SELECT run_id, $2::jsonb FROM workflow_runs WHERE run_id = $1::uuid AND status <> 'ended' RETURNING event_seq`,
    values: [workflowRunId, JSON.stringify(event)],
  });
  return rows.length > 0;
}

export interface NewTimer {
  readonly timer: string;
  /** JSON of what is told when it is due. */
  readonly event: unknown;
  readonly at: Date;
}

/** Sets timers; one that is set already stays as it is. */
export async function setTimers(
  trx: DbTransaction,
  workflowRunId: string,
  timers: readonly NewTimer[],
): Promise<void> {
  if (timers.length === 0) return;
  await asQueryable(trx).query({
    text: `INSERT INTO workflow_inbox (workflow_run_id, timer, event, due_at)
SELECT $1::uuid, t.timer, t.event::jsonb, LEAST(t.at, ${NEVER} - interval '1 day')
FROM unnest($2::text[], $3::text[], $4::timestamptz[]) AS t(timer, event, at)
ON CONFLICT (workflow_run_id, timer) WHERE timer IS NOT NULL DO NOTHING`,
    values: [
      workflowRunId,
      textArray(timers.map(({ timer }) => timer)),
      textArray(timers.map(({ event }) => JSON.stringify(event))),
      plainArray(timers.map(({ at }) => at.toISOString())),
    ],
  });
}

export async function clearTimers(
  trx: DbTransaction,
  workflowRunId: string,
  timers: readonly string[],
): Promise<void> {
  if (timers.length === 0) return;
  await asQueryable(trx).query({
    text: 'DELETE FROM workflow_inbox WHERE workflow_run_id = $1::uuid AND timer = ANY ($2::text[])',
    values: [workflowRunId, textArray(timers)],
  });
}

/** Removes what came for a workflow run that has ended meanwhile: nobody tells it any more. */
export async function clearEndedInbox(trx: DbTransaction, workflowRunId: string): Promise<void> {
  await asQueryable(trx).query({
    text: `DELETE FROM workflow_inbox WHERE workflow_run_id = $1::uuid
  AND NOT EXISTS (SELECT 1 FROM workflow_runs w WHERE w.run_id = $1::uuid AND w.status <> 'ended')`,
    values: [workflowRunId],
  });
}
