/**
 * Handing a running run over to an engine inside Spine: its worker is free, and the run stays `running` without one, for
 * seconds or for months.
 *
 * 1. Guarded like a settlement: only the attempt that holds the run can hand it over, and what its worker still writes is
 *    refused, because the epoch is raised.
 * 2. The lease belongs to {@link ENGINE_OWNER} and does not run out, so that the reaper leaves the run alone. The attempt's
 *    time-out ends with the attempt; a deadline of the whole run stays, and the reaper still ends the run by it.
 * 3. Places that the run has taken before concurrency gates are taken on: they count for as long as the run is running.
 */
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';

/** Holds the runs that were handed over. No worker has this id. */
export const ENGINE_OWNER = '00000000-0000-0000-0000-000000000000';

/** Later than anything. Not `infinity`, which is no date where it is read. */
export const NEVER = `timestamptz '9999-12-31 00:00:00+00'`;

export type HandOverOutcome =
  /** @property epoch at which the engine now holds the run. */
  | { readonly type: 'handed_over'; readonly epoch: number }
  /** The run was taken from the attempt; the transaction must not commit. */
  | { readonly type: 'fenced' };

/** What a hand-over makes of the row `r`. */
export const HAND_OVER_SET = `epoch = r.epoch + 1, lease_owner = '${ENGINE_OWNER}', lease_expires_at = ${NEVER},
    deadline_at = COALESCE(r.run_deadline_at, ${NEVER})`;

/** What follows for the rows `u` (id, epoch) that it has changed. @param source the parameter that names who did it. */
export const handedOverCtes = (source: string): string => `e AS (
  INSERT INTO run_events (run_id, epoch, event_type, source) SELECT id, epoch, 'handed_over', ${source} FROM u
), h AS (
  UPDATE concurrency_holds h SET epoch = u.epoch FROM u WHERE h.run_id = u.id AND h.epoch = u.epoch - 1
)`;

export const HAND_OVER_SQL = `WITH u AS (
  UPDATE runs r SET ${HAND_OVER_SET}
  WHERE r.id = $1::uuid AND r.epoch = $2::bigint AND r.status || '' = 'running'
  RETURNING r.id, r.epoch
), ${handedOverCtes('$3')}
SELECT epoch FROM u`;

/** Takes a run from the attempt at `epoch`. @param source written as the source of the event `handed_over`. */
export async function handOverRun(
  trx: DbTransaction,
  runId: string,
  epoch: number,
  source: string,
): Promise<HandOverOutcome> {
  const { rows } = await asQueryable(trx).query<{ epoch: number }>({
    text: HAND_OVER_SQL,
    values: [runId, epoch, source],
  });
  const [row] = rows;
  return row === undefined ? { type: 'fenced' } : { type: 'handed_over', epoch: row.epoch };
}
