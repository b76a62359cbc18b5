/**
 * Sub-workflows that are given up by what has started them.
 *
 * 1. One that has begun is told to cancel: its own planner undoes what it has done, and ends it. The run that has given it up
 * hears of that end like any other, and waits for it. 2. One that has not begun has nothing to undo, and is cancelled at once. One that
 * begins in this very moment, and does with it what its first advance starts, is waited for by the lock of its run, and then
 * told. 3. One that is paused goes on, to
 * be undone, with all that was paused with it.
 */
import { TELL_DRIVERS_SQL } from '../control/channel.ts';
import { cancelRunsIn } from '../runs/cancel.ts';
import { plainArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';
import { resumeWithChildrenIn } from './pause.ts';

const TELL_BEGUN_SQL = `INSERT INTO workflow_inbox (workflow_run_id, event)
SELECT run_id, $2::jsonb FROM workflow_runs WHERE run_id = ANY ($1::uuid[]) AND status <> 'ended' ORDER BY run_id
RETURNING workflow_run_id AS id, (SELECT r.status = 'paused' FROM runs r WHERE r.id = workflow_run_id) AS paused,
  ${TELL_DRIVERS_SQL}`;

/** Nobody begins them any more. */
const HOLD_SQL = `SELECT 1 FROM runs WHERE id = ANY ($1::uuid[]) ORDER BY id FOR NO KEY UPDATE`;

export interface GivenUp {
  /** JSON of the event that cancels a workflow. */
  readonly event: unknown;
  readonly reason: string;
  /** Who gives up. */
  readonly source: string;
}

/**
 * Part of the transaction that gives them up. Runs that have ended are left as they are.
 * @returns those that had not begun, with what they had started: they are cancelled.
 */
export async function giveUpWorkflows(
  trx: DbTransaction,
  runIds: readonly string[],
  { event, reason, source }: GivenUp,
): Promise<readonly string[]> {
  if (runIds.length === 0) return [];
  const on = asQueryable(trx);
  /** @returns those that have not begun, or have ended. */
  const tell = async (ids: readonly string[]): Promise<readonly string[]> => {
    const { rows } = await on.query<{ id: string; paused: boolean }>({
      text: TELL_BEGUN_SQL,
      values: [plainArray(ids), JSON.stringify(event)],
    });
    for (const { id, paused } of rows) {
      if (paused) await resumeWithChildrenIn(on, id, source);
    }
    const told = new Set(rows.map(({ id }) => id));
    return ids.filter((id) => !told.has(id));
  };
  const left = await tell(runIds);
  if (left.length === 0) return [];
  await on.query({ text: HOLD_SQL, values: [plainArray(left)] });
  return cancelRunsIn(on, await tell(left), reason, source);
}
