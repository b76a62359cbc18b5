/**
 * What became of the runs of workflows. Nothing here decides or computes anything: `RunAnalytics` does, from these records.
 *
 * Of each workflow the newest runs are read, up to a limit: the answer says whether that is all of the window.
 */
import { sql } from 'kysely';
import { RUN_STATUSES } from '@spine/core';
import type { ErrorCategory, RunStatus } from '@spine/core';
import { COUNT_LIMIT } from '../runs/query.ts';
import type { Db } from '../sql/kysely.ts';

export interface WorkflowRunSummary {
  readonly workflow: string;
  readonly status: RunStatus;
  /** Completed without having begun: another run was the reason. */
  readonly skipped: boolean;
  readonly createdAt: Date;
  readonly startedAt: Date | null;
  readonly endedAt: Date | null;
  readonly errorCategory: ErrorCategory | null;
}

export interface WorkflowRunWindow {
  /** The database's clock. */
  readonly now: Date;
  /** Newest first within each workflow. */
  readonly runs: readonly WorkflowRunSummary[];
}

/** Workflows that take new runs, counted up to {@link COUNT_LIMIT}. */
export async function countWorkflows(db: Db): Promise<number> {
  const { rows } = await sql<{ n: number }>`SELECT count(*)::int AS n FROM (
    SELECT 1 FROM workflows WHERE archived_at IS NULL LIMIT ${COUNT_LIMIT}
  ) w`.execute(db);
  return rows[0]?.n ?? 0;
}

export interface WorkflowWindow {
  /** Days back from now. */
  readonly days: number;
  /** Runs read of each workflow, at the most. */
  readonly limit: number;
  /** Only runs of it. */
  readonly namespace?: string;
}

interface Row {
  workflow: string;
  status: RunStatus;
  skipped: boolean;
  created_at: Date;
  started_at: Date | null;
  completed_at: Date | null;
  error_category: ErrorCategory | null;
}

/** The runs of workflows that were submitted in the window. */
export async function workflowRunWindow(
  db: Db,
  names: readonly string[],
  { days, limit, namespace }: WorkflowWindow,
): Promise<WorkflowRunWindow> {
  const clock = await sql<{ now: Date }>`SELECT now() AS now`.execute(db);
  const [first] = clock.rows;
  if (first === undefined) throw new TypeError('the clock answered no row');
  const confined = namespace === undefined ? sql`` : sql`AND r.namespace = ${namespace}`;
  const since = sql`now() - ${days}::integer * interval '1 day'`;
  const { rows } =
    await sql<Row>`SELECT n.name AS workflow, x.status, x.created_at, x.started_at, x.completed_at,
    x.error_category, x.status = 'completed' AND w.run_id IS NULL AS skipped
  FROM unnest(${[...names]}::text[]) AS n(name) CROSS JOIN LATERAL (
    SELECT y.* FROM unnest(${[...RUN_STATUSES]}::text[]) AS s(status) CROSS JOIN LATERAL (
      SELECT r.id, r.status, r.created_at, r.started_at, r.completed_at, r.error ->> 'category' AS error_category
      FROM runs r WHERE r.kind = 'workflow' AND r.name = n.name AND r.status = s.status ${confined}
        AND r.id >= spine_run_id_at(${since} - interval '10 minutes') AND r.created_at >= ${since}
      ORDER BY r.id DESC LIMIT ${limit}::integer
    ) y ORDER BY y.id DESC LIMIT ${limit}::integer
  ) x LEFT JOIN workflow_runs w ON w.run_id = x.id`.execute(db);
  return {
    now: first.now,
    runs: rows.map((row) => ({
      workflow: row.workflow,
      status: row.status,
      skipped: row.skipped,
      createdAt: row.created_at,
      startedAt: row.started_at,
      endedAt: row.completed_at,
      errorCategory: row.error_category,
    })),
  };
}
