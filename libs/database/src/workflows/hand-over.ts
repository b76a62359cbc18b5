/**
 * Where a workflow run becomes the engine's. Part of the transaction that takes it from its worker (runs/hand-over.ts).
 *
 * 1. The row of the workflow is written before the row of the run is locked: an advance locks them in the same order.
 * 2. A run that was handed over before, and was paused since, goes on where it was; it is not told a second time that it
 * has started. 3. One that has ended is not taken up again. 4. Runs about which nothing is left to be decided are handed
 * over many in a statement; one that was handed over before is refused there by its primary key, with the whole statement.
 */
import { jsonArray, plainArray, textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';
import { HAND_OVER_SET, handedOverCtes, NEVER } from '../runs/hand-over.ts';

export interface NewWorkflowRun {
  readonly runId: string;
  readonly name: string;
  readonly version: number;
  /** At which the engine will hold the run. */
  readonly epoch: number;
  /** Canonical JSON; null for a run that is not tracked. */
  readonly partitionKey: string | null;
  /** JSON of the first event, unless the run was handed over before. */
  readonly started: unknown;
}

export type ReceiveOutcome = 'started' | 'resumed' | 'ended';

const RECEIVE_SQL = `INSERT INTO workflow_runs AS w (run_id, name, version, epoch, partition_key)
VALUES ($1::uuid, $2, $3::integer, $4::bigint, $5)
ON CONFLICT (run_id) DO UPDATE SET epoch = EXCLUDED.epoch, status = 'active' WHERE w.status <> 'ended'
RETURNING w.seq, (SELECT true FROM workflow_runs x WHERE x.run_id = $1::uuid) AS known`;

const STARTED_SQL = 'INSERT INTO workflow_inbox (workflow_run_id, event) VALUES ($1::uuid, $2::jsonb)';

const RESUMED_SQL = `UPDATE workflow_inbox SET due_at = now() WHERE workflow_run_id = $1::uuid AND due_at = ${NEVER}`;

export async function receiveWorkflowRun(trx: DbTransaction, run: NewWorkflowRun): Promise<ReceiveOutcome> {
  const on = asQueryable(trx);
  const { rows } = await on.query<{ known: boolean | null }>({
    text: RECEIVE_SQL,
    values: [run.runId, run.name, run.version, run.epoch, run.partitionKey],
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

/** What a run that was never handed over begins with. */
export interface WorkflowBeginning {
  readonly name: string;
  readonly version: number;
  /** JSON object of the first event; what its run has inherited is added. */
  readonly started: unknown;
}

export interface BeginningRun extends WorkflowBeginning {
  readonly runId: string;
  /** Of the attempt that hands it over. */
  readonly epoch: number;
}

/** The run's row first: an advance waits for neither of the two. */
export const BEGIN_WORKFLOWS_SQL = `WITH i AS (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::integer[], $5::text[]) AS t(id, epoch, name, version, started)
), u AS (
  UPDATE runs r SET ${HAND_OVER_SET}
  FROM i WHERE r.id = i.id AND r.epoch = i.epoch AND r.status || '' = 'running'
  RETURNING r.id, r.epoch
), ${handedOverCtes('$6')}, w AS (
  INSERT INTO workflow_runs (run_id, name, version, epoch)
  SELECT u.id, i.name, i.version, u.epoch FROM u JOIN i ON i.id = u.id
), b AS (
  INSERT INTO workflow_inbox (workflow_run_id, event)
  SELECT u.id, i.started::jsonb || COALESCE(s.inherited, '{}') FROM u JOIN i ON i.id = u.id
  LEFT JOIN workflow_starts s ON s.run_id = u.id
)
SELECT id FROM u`;

/**
 * Takes runs from their attempts and begins their workflows; answers for each. After a broken connection a repeat answers
 * `fenced` for what the first send has done: either way the attempt holds the run no longer.
 * @param source written as the source of the event `handed_over`.
 * @throws the driver's unique violation when one of them was handed over before; then nothing has happened.
 */
export async function beginWorkflows(
  db: Queryable,
  runs: readonly BeginningRun[],
  source: string,
): Promise<readonly ('handed_over' | 'fenced')[]> {
  if (runs.length === 0) return [];
  const { rows } = await db.query<{ id: string }>({
    name: 'spine_begin_workflows',
    text: BEGIN_WORKFLOWS_SQL,
    values: [
      plainArray(runs.map(({ runId }) => runId)),
      plainArray(runs.map(({ epoch }) => epoch)),
      textArray(runs.map(({ name }) => name)),
      plainArray(runs.map(({ version }) => version)),
      jsonArray(runs.map(({ started }) => started)),
      source,
    ],
  });
  const taken = new Set(rows.map(({ id }) => id));
  return runs.map(({ runId }) => (taken.has(runId) ? 'handed_over' : 'fenced'));
}
