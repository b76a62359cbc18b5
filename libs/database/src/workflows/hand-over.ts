/**
 * Where a workflow run becomes the engine's. Part of the transaction that takes it from its worker (runs/hand-over.ts).
 *
 * 1. The row of the workflow is written before the row of the run is locked: an advance locks them in the same order.
 * 2. A run that was handed over before, and was paused since, goes on where it was; it is not told a second time that it
 * has started. 3. One that has ended is not taken up again.
 */
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';
import { NEVER } from '../runs/hand-over.ts';

export interface NewWorkflowRun {
  readonly runId: string;
  readonly name: string;
  readonly version: number;
  /** At which the engine will hold the run. */
  readonly epoch: number;
  /** JSON of the first event, unless the run was handed over before. */
  readonly started: unknown;
}

export type ReceiveOutcome = 'started' | 'resumed' | 'ended';

const RECEIVE_SQL = `INSERT INTO workflow_runs AS w (run_id, name, version, epoch)
VALUES ($1::uuid, $2, $3::integer, $4::bigint)
ON CONFLICT (run_id) DO UPDATE SET epoch = EXCLUDED.epoch, status = 'active' WHERE w.status <> 'ended'
RETURNING w.seq, (SELECT true FROM workflow_runs x WHERE x.run_id = $1::uuid) AS known`;

const STARTED_SQL = 'INSERT INTO workflow_inbox (workflow_run_id, event) VALUES ($1::uuid, $2::jsonb)';

const RESUMED_SQL = `UPDATE workflow_inbox SET due_at = now() WHERE workflow_run_id = $1::uuid AND due_at = ${NEVER}`;

export async function receiveWorkflowRun(trx: DbTransaction, run: NewWorkflowRun): Promise<ReceiveOutcome> {
  const on = asQueryable(trx);
  const { rows } = await on.query<{ known: boolean | null }>({
    text: RECEIVE_SQL,
    values: [run.runId, run.name, run.version, run.epoch],
  });
  const [row] = rows;
  if (row === undefined) return 'ended';
  if (row.known === true) {
    await on.query({ text: RESUMED_SQL, values: [run.runId] });
    return 'resumed';
  }
  await on.query({ text: STARTED_SQL, values: [run.runId, JSON.stringify(run.started)] });
  return 'started';
}
