/** Which traces runs were submitted in. */
import type { RunKind } from '@spine/core';
import { plainArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';

export interface RunTrace {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  /** W3C traceparent. */
  readonly traceContext: string;
}

/** Those of the runs that were submitted within a trace. */
export async function runTraces(db: Queryable, runIds: readonly string[]): Promise<RunTrace[]> {
  const { rows } = await db.query<{ id: string; kind: RunKind; name: string; trace_context: string }>({
    name: 'spine_run_traces',
    text: `SELECT id, kind, name, trace_context FROM runs WHERE id = ANY ($1::uuid[]) AND trace_context IS NOT NULL`,
    values: [plainArray(runIds)],
  });
  return rows.map((row) => ({
    runId: row.id,
    kind: row.kind,
    name: row.name,
    traceContext: row.trace_context,
  }));
}
