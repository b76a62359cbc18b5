/**
 * What workflow runs were told too late: nothing comes of it any more, and whoever asked for it can read so in the history.
 *
 * 1. Recorded by the transaction that removes it from the inbox: it is there or here. 2. The row of the workflow is locked
 * before its events are numbered, so that no two transactions give one number twice.
 */
import { plainArray, textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';

/** A row that was removed from the inbox. */
export interface RemovedEvent {
  readonly workflow_run_id: string;
  readonly event: unknown;
  readonly timer: string | null;
}

const REASON = 'the run has ended';

const LOCK_SQL =
  'SELECT 1 FROM workflow_runs WHERE run_id = ANY ($1::uuid[]) ORDER BY run_id FOR NO KEY UPDATE';

const RECORD_SQL = `WITH t AS (
  SELECT run_id, event::jsonb AS event, row_number() OVER (PARTITION BY run_id ORDER BY no) AS n
  FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS t(run_id, event, no)
), h AS (
  INSERT INTO workflow_history (run_id, event_no, event, timestamp)
  SELECT w.run_id, w.seq + t.n, t.event || jsonb_build_object('ignored', $3::text), now()
  FROM t JOIN workflow_runs w ON w.run_id = t.run_id
)
UPDATE workflow_runs w SET seq = w.seq + c.n FROM (SELECT run_id, max(n) AS n FROM t GROUP BY run_id) c
WHERE w.run_id = c.run_id`;

/** Of the rows those that somebody has told; timers, ends of runs and starts say nothing that is missed. */
export async function recordTooLate(trx: DbTransaction, removed: readonly RemovedEvent[]): Promise<void> {
  const told = removed.filter(({ event, timer }) => timer === null && isTold(event));
  if (told.length === 0) return;
  const on = asQueryable(trx);
  const runIds = plainArray(told.map((row) => row.workflow_run_id));
  await on.query({ text: LOCK_SQL, values: [runIds] });
  await on.query({
    text: RECORD_SQL,
    values: [runIds, textArray(told.map(({ event }) => JSON.stringify(event))), REASON],
  });
}

function isTold(event: unknown): boolean {
  return typeof event === 'object' && event !== null && 'type' in event && event.type !== 'started';
}
