/** The runs that workflows have started: a piece of work has one, however often it is asked for. */
import type { RunKind, RunStatus } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { COUNT_LIMIT } from '../runs/query.ts';
import type { StoredError } from '../runs/record.ts';
import { FIRST_RUN_ID } from '../runs/retention.ts';

/** What a workflow starts and hears the end of. */
export interface WorkflowWork {
  /** A step, an item of a map, a compensation, …, by the planner's name for it. */
  readonly unit: string;
  /** From 1. */
  readonly attempt: number;
  /** As what its end is told; `detached` for a run that nobody waits for. */
  readonly kind: 'step' | 'item' | 'child' | 'detached';
}

/** A piece of work of a workflow run. */
export type WorkOf = Pick<WorkflowWork, 'unit' | 'attempt'> & { readonly workflowRunId: string };

/**
 * Records what is about to be started.
 * @throws the driver's unique violation for work that has its run already; nothing may be committed then.
 */
export async function recordWorkflowSteps(
  trx: DbTransaction,
  steps: readonly (WorkflowWork & { readonly workflowRunId: string; readonly runId: string })[],
): Promise<void> {
  if (steps.length === 0) return;
  await asQueryable(trx).query({
    text: `INSERT INTO workflow_steps (workflow_run_id, unit, attempt, run_id, kind)
SELECT * FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::uuid[], $5::text[])`,
    values: [
      plainArray(steps.map(({ workflowRunId }) => workflowRunId)),
      textArray(steps.map(({ unit }) => unit)),
      plainArray(steps.map(({ attempt }) => attempt)),
      plainArray(steps.map(({ runId }) => runId)),
      textArray(steps.map(({ kind }) => kind)),
    ],
  });
}

/** Another run does what one was started for: the workflow hears of that one's end. */
export async function replaceWork(trx: DbTransaction, runId: string, by: string): Promise<void> {
  await asQueryable(trx).query({
    text: 'UPDATE workflow_steps SET run_id = $2::uuid WHERE run_id = $1::uuid',
    values: [runId, by],
  });
}

/** The runs of pieces of work, as far as they have been started. */
export async function runsOfWork(trx: DbTransaction, work: readonly WorkOf[]): Promise<string[]> {
  if (work.length === 0) return [];
  const { rows } = await asQueryable(trx).query<{ run_id: string }>({
    text: `SELECT s.run_id FROM unnest($1::uuid[], $2::text[], $3::integer[]) AS t(workflow_run_id, unit, attempt)
JOIN workflow_steps s ON s.workflow_run_id = t.workflow_run_id AND s.unit = t.unit AND s.attempt = t.attempt`,
    values: [
      plainArray(work.map(({ workflowRunId }) => workflowRunId)),
      textArray(work.map(({ unit }) => unit)),
      plainArray(work.map(({ attempt }) => attempt)),
    ],
  });
  return rows.map((row) => row.run_id);
}

/** Of what these workflows have started and nobody waits for, the runs that have not ended. */
export async function detachedRunsOf(
  trx: DbTransaction,
  workflowRunIds: readonly string[],
): Promise<string[]> {
  if (workflowRunIds.length === 0) return [];
  const { rows } = await asQueryable(trx).query<{ id: string }>({
    text: DETACHED_RUNS_OF_SQL,
    values: [plainArray(workflowRunIds)],
  });
  return rows.map(({ id }) => id);
}

export const DETACHED_RUNS_OF_SQL = `SELECT s.run_id AS id FROM workflow_steps s
CROSS JOIN LATERAL (SELECT completed_at FROM runs WHERE id = s.run_id OFFSET 0) AS r
WHERE s.workflow_run_id = ANY ($1::uuid[]) AND s.kind = 'detached' AND r.completed_at IS NULL`;

/** OFFSET 0 keeps the planner on the primary key: runs that have not ended look few to it, and are not. */
export const ACTIVE_RUNS_OF_SQL = `SELECT s.run_id AS id FROM workflow_steps s
CROSS JOIN LATERAL (SELECT completed_at FROM runs WHERE id = s.run_id OFFSET 0) AS r
WHERE s.workflow_run_id = ANY ($1::uuid[]) AND s.kind <> 'detached' AND r.completed_at IS NULL`;

/** Those of the runs that workflows have started and waited for that have not ended. */
export async function activeRunsOf(trx: DbTransaction, workflowRunIds: readonly string[]): Promise<string[]> {
  if (workflowRunIds.length === 0) return [];
  const { rows } = await asQueryable(trx).query<{ id: string }>({
    text: ACTIVE_RUNS_OF_SQL,
    values: [plainArray(workflowRunIds)],
  });
  return rows.map(({ id }) => id);
}

/** A run of a workflow, for showing. */
export interface WorkflowStepRecord extends WorkflowWork {
  readonly runId: string;
  readonly runKind: RunKind;
  readonly name: string;
  readonly status: RunStatus;
  readonly error: StoredError | null;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
}

interface StepRow {
  unit: string;
  attempt: number;
  kind: WorkflowWork['kind'];
  run_id: string;
  run_kind: RunKind;
  name: string;
  status: RunStatus;
  error: StoredError | null;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
}

export const STEPS_SQL = `SELECT s.unit, s.attempt, s.kind, s.run_id, r.kind AS run_kind, r.name, r.status, r.error,
  s.created_at, r.started_at, r.completed_at
FROM runs r JOIN workflow_steps s ON s.run_id = r.id
WHERE r.parent_run_id = $1::uuid AND r.id > $2::uuid
ORDER BY r.id LIMIT $3 OFFSET $4`;

const COUNT_STEPS_SQL = `SELECT count(*)::int AS n FROM (
  SELECT 1 FROM workflow_steps WHERE workflow_run_id = $1::uuid LIMIT $2
) s`;

export interface WorkflowStepPage {
  readonly items: readonly WorkflowStepRecord[];
  /** Counted up to {@link COUNT_LIMIT}. */
  readonly total: number;
  readonly totalIsCapped: boolean;
  readonly hasMore: boolean;
}

/**
 * The runs a workflow has started, in the order of their start.
 * @param page.after the run of the last one that was seen; null from the beginning.
 */
export async function listWorkflowSteps(
  db: Db,
  workflowRunId: string,
  page: { readonly after: string | null; readonly limit: number; readonly offset: number },
): Promise<WorkflowStepPage> {
  const on = asQueryable(db);
  const { after, limit, offset } = page;
  const { rows } = await on.query<StepRow>({
    text: STEPS_SQL,
    values: [workflowRunId, after ?? FIRST_RUN_ID, limit + 1, offset],
  });
  const counted = await on.query<{ n: number }>({
    text: COUNT_STEPS_SQL,
    values: [workflowRunId, COUNT_LIMIT + 1],
  });
  const total = counted.rows[0]?.n ?? 0;
  return {
    items: rows.slice(0, limit).map(toStepRecord),
    total: Math.min(total, COUNT_LIMIT),
    totalIsCapped: total > COUNT_LIMIT,
    hasMore: rows.length > limit,
  };
}

function toStepRecord(row: StepRow): WorkflowStepRecord {
  return {
    unit: row.unit,
    attempt: row.attempt,
    kind: row.kind,
    runId: row.run_id,
    runKind: row.run_kind,
    name: row.name,
    status: row.status,
    error: row.error,
    createdAt: row.created_at,
    startedAt: row.started_at,
    completedAt: row.completed_at,
  };
}

/** JSON of what runs that a workflow starts begin with besides their params, by the run. */
export async function recordInherited(
  trx: DbTransaction,
  starts: readonly { readonly runId: string; readonly inherited: unknown }[],
): Promise<void> {
  if (starts.length === 0) return;
  await asQueryable(trx).query({
    text: `INSERT INTO workflow_starts (run_id, inherited)
SELECT t.run_id, t.inherited::jsonb FROM unnest($1::uuid[], $2::text[]) AS t(run_id, inherited)`,
    values: [
      plainArray(starts.map(({ runId }) => runId)),
      textArray(starts.map(({ inherited }) => JSON.stringify(inherited))),
    ],
  });
}

/** Null for a run that no workflow has started. */
export async function inheritedOf(trx: DbTransaction, runId: string): Promise<unknown> {
  const { rows } = await asQueryable(trx).query<{ inherited: unknown }>({
    text: 'SELECT inherited FROM workflow_starts WHERE run_id = $1::uuid',
    values: [runId],
  });
  return rows[0]?.inherited ?? null;
}
