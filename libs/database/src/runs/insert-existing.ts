/** The runs that stood in the way of others: see insert.ts. */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import type { NewRun } from './insert.ts';
import { RUN_COLUMNS, toRunRecord } from './record.ts';
import type { RunRecord, RunRow } from './record.ts';

/** A run by its key, within the namespace that the asking run would have had. */
const FIND_EXISTING_SQL = `WITH i AS (
  SELECT t.*, COALESCE(t.namespace, (SELECT o.namespace FROM runs o WHERE o.id = t.origin)) AS of
  FROM unnest($1::uuid[], $2::text[], $3::text[], $4::uuid[]) AS t(asked, key, namespace, origin)
)
SELECT i.asked, f.* FROM i CROSS JOIN LATERAL (
  (SELECT ${RUN_COLUMNS.join(', ')} FROM runs WHERE id = i.asked LIMIT 1)
  UNION ALL
  (SELECT ${RUN_COLUMNS.join(', ')} FROM runs
    WHERE idempotency_key = i.key AND namespace IS NULL AND i.of IS NULL LIMIT 1)
  UNION ALL
  (SELECT ${RUN_COLUMNS.join(', ')} FROM runs
    WHERE idempotency_key = i.key AND namespace = i.of AND namespace IS NOT NULL LIMIT 1)
) f`;

/**
 * What stood in the way, by the id of the run that was to be inserted. A separate statement, so that it sees what committed
 * in between.
 */
export async function findExisting(
  db: Queryable,
  runs: readonly NewRun[],
): Promise<ReadonlyMap<string, RunRecord>> {
  const { rows } = await db.query<RunRow & { asked: string }>({
    name: 'spine_find_existing',
    text: FIND_EXISTING_SQL,
    values: [
      plainArray(runs.map((run) => run.runId)),
      textArray(runs.map((run) => run.idempotencyKey)),
      textArray(runs.map((run) => run.namespace)),
      plainArray(runs.map((run) => run.parentRunId ?? run.retryOfRunId)),
    ],
  });
  const found = new Map<string, RunRecord>();
  // The run itself, after an ambiguous commit, comes first and stays.
  for (const row of rows) if (!found.has(row.asked)) found.set(row.asked, toRunRecord(row));
  return found;
}
