/** Runs whose end is told by an event in a range of ids. */
import type { RunKind, RunStatus } from '@spine/core';
import type { Queryable } from '../sql/pool.ts';

export interface EndedRun {
  readonly runId: string;
  readonly status: RunStatus;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly tags: readonly string[];
  readonly correlationId: string | null;
  readonly parentRunId: string | null;
  readonly metadata: unknown;
  /** Empty when they are outside the row. */
  readonly params: unknown;
  readonly result: unknown;
}

interface EndedRow {
  id: string;
  status: RunStatus;
  kind: RunKind;
  name: string;
  lane: string;
  tags: string[];
  correlation_id: string | null;
  parent_run_id: string | null;
  metadata: unknown;
  params: unknown;
  result: unknown;
}

/** In the order of their events. The range has to be one in which nothing can appear any more. */
export async function endedRunsBetween(on: Queryable, after: number, until: number): Promise<EndedRun[]> {
  const { rows } = await on.query<EndedRow>({
    name: 'spine_ended_runs_between',
    text: `SELECT r.id, r.status, r.kind, r.name, r.lane, r.tags, r.correlation_id, r.parent_run_id, r.metadata, r.params, r.result
FROM run_events e JOIN runs r ON r.id = e.run_id
WHERE e.event_id > $1::bigint AND e.event_id <= $2::bigint AND e.terminal ORDER BY e.event_id`,
    values: [after, until],
  });
  return rows.map((row) => ({
    runId: row.id,
    status: row.status,
    kind: row.kind,
    name: row.name,
    lane: row.lane,
    tags: row.tags,
    correlationId: row.correlation_id,
    parentRunId: row.parent_run_id,
    metadata: row.metadata,
    params: row.params,
    result: row.result,
  }));
}
