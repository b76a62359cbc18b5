/** Waiting for many runs: one question for all of them. */
import { plainArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { RUN_COLUMNS, toRunRecord } from './record.ts';
import type { RunRecord, RunRow } from './record.ts';

/** Those of the runs that have ended. */
export async function finishedRuns(db: Queryable, runIds: readonly string[]): Promise<RunRecord[]> {
  const { rows } = await db.query<RunRow>({
    name: 'spine_finished_runs',
    text: `SELECT ${RUN_COLUMNS.join(', ')} FROM runs WHERE id = ANY($1::uuid[]) AND completed_at IS NOT NULL`,
    values: [plainArray(runIds)],
  });
  return rows.map(toRunRecord);
}

/** Those of the ids that are runs. */
export async function knownRuns(db: Queryable, runIds: readonly string[]): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ id: string }>({
    name: 'spine_known_runs',
    text: 'SELECT id FROM runs WHERE id = ANY($1::uuid[])',
    values: [plainArray(runIds)],
  });
  return new Set(rows.map(({ id }) => id));
}
