/**
 * What steps of workflow runs have said about their data. Bounded by what it reads: of the newest runs that have ended, so many
 * steps of each, in the order of their names.
 */
import { sql } from 'kysely';
import type { Db } from '../sql/kysely.ts';

/** Runs and steps that are read at the most. */
export const QUALITY_LIMITS = { runs: 100, steps: 200 } as const;

/** Of one step, over the runs that were read. */
export interface StepQuality {
  readonly step: string;
  /** Runs in which the step has said something. */
  readonly runs: number;
  /** Of them, those in which it let the data through. */
  readonly passed: number;
  /** Sums, as text: they may be larger than a number tells exactly. */
  readonly recordCount: string;
  readonly validCount: string;
}

export interface WorkflowQualityWindow {
  /** Back from now. */
  readonly days: number;
  /** Only runs of it. */
  readonly namespace?: string;
}

const ENDED = ['completed', 'failed', 'timed_out', 'dead_lettered', 'cancelled'] as const;

/** By step, of the runs of a workflow that were submitted in the window. */
export async function workflowQuality(
  db: Db,
  name: string,
  { days, namespace }: WorkflowQualityWindow,
): Promise<StepQuality[]> {
  const { rows } = await qualityQuery(name, {
    days,
    ...(namespace === undefined ? {} : { namespace }),
  }).execute(db);
  return rows;
}

/** The query itself, for whoever looks at its plan. */
export function qualityQuery(name: string, { days, namespace }: WorkflowQualityWindow) {
  const confined = namespace === undefined ? sql`` : sql`AND r.namespace = ${namespace}`;
  const since = sql`now() - ${days}::integer * interval '1 day'`;
  return sql<StepQuality>`SELECT q.key AS step, count(*)::int AS runs, count(*) FILTER (WHERE q.passed)::int AS passed,
    sum(q.records)::text AS "recordCount", sum(q.valid)::text AS "validCount"
  FROM (
    SELECT y.id FROM unnest(${[...ENDED]}::text[]) AS s(status) CROSS JOIN LATERAL (
      SELECT r.id FROM runs r WHERE r.kind = 'workflow' AND r.name = ${name} AND r.status = s.status ${confined}
        AND r.id >= spine_run_id_at(${since} - interval '10 minutes') AND r.created_at >= ${since}
      ORDER BY r.id DESC LIMIT ${QUALITY_LIMITS.runs}::integer
    ) y ORDER BY y.id DESC LIMIT ${QUALITY_LIMITS.runs}::integer
  ) x CROSS JOIN LATERAL (
    SELECT w.key, (w.value #>> '{quality,recordCount}')::numeric AS records,
      (w.value #>> '{quality,validCount}')::numeric AS valid, (w.value #>> '{quality,passed}')::boolean AS passed
    FROM (SELECT key, value FROM workflow_state WHERE run_id = x.id AND part = 'step'
      ORDER BY key LIMIT ${QUALITY_LIMITS.steps}::integer) w
    WHERE jsonb_typeof(w.value -> 'quality') = 'object'
  ) q GROUP BY q.key ORDER BY q.key`;
}
