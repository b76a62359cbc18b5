/**
 * Settling: the end of an attempt, its event and its dead letter in one guarded statement, for any number of runs.
 *
 * 1. Accepted only while the run is `running` at the settler's epoch. A guard on status alone accepts a stale
 *    attempt's outcome; a guard on the id alone leaves terminal states.
 * 2. One item that is refused never fails its neighbours: the statement answers with the refused ids.
 * 3. A run that goes back to the queue is due for a hint when it is available; the relay sends it.
 * 4. Workflows that wait for what ends here are told in the same statement; `workflow_told` says so to the trigger that
 *    tells them of every other end.
 * 5. `finished_epoch` remembers who settled last, so that a repeat after an ambiguous commit recognises itself. If the run
 *    was queued again and settled by a later attempt since, the repeat is recognised by its event.
 */
import { plainArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import type { StoredError } from './record.ts';
import { settleForm } from './settle-sql.ts';

/** How an attempt ended; each variant has only its own fields. */
export type Settlement =
  /** `result` is JSON text, or null for no result; `resultRef` says where one is that is too large for the row. */
  | { readonly type: 'completed'; readonly result: string | null; readonly resultRef?: string }
  /** Failed with attempts left: queued again, available after `delayMs`. */
  | { readonly type: 'retry'; readonly error: StoredError; readonly delayMs: number }
  | { readonly type: 'failed'; readonly error: StoredError }
  | { readonly type: 'timed_out'; readonly error: StoredError }
  | { readonly type: 'dead_lettered'; readonly error: StoredError }
  /** Given back unfinished by a worker that stops: no attempt charged, epoch raised, available at once. */
  | { readonly type: 'handed_back'; readonly reason: string }
  /** Put off by its handler: no attempt charged, epoch raised, available after `delayMs`. */
  | { readonly type: 'deferred'; readonly reason: string; readonly delayMs: number };

export interface SettleItem {
  readonly runId: string;
  readonly epoch: number;
  readonly settlement: Settlement;
}

export type SettleOutcome =
  | 'settled'
  /** The run was taken from this attempt (reaped, cancelled, claimed by another): the outcome was dropped. */
  | 'fenced';

export interface SettleInfo {
  /** Written as the events' source, e.g. `worker:<id>`. */
  readonly source: string;
}

/** Settles attempts; answers per item, in order. */
export async function settleRuns(
  db: Queryable,
  items: readonly SettleItem[],
  info: SettleInfo,
): Promise<readonly SettleOutcome[]> {
  if (items.length === 0) return [];
  const form = settleForm(items);
  const { rows } = await db.query<AttemptRow>({
    name: `spine_settle${form.suffix}`,
    text: form.sql,
    values: form.values(items, info),
  });
  return settleOutcomes(db, items, new Set(rows.map(attemptOf)), info);
}

interface AttemptRow {
  readonly id: string;
  readonly epoch: number;
}

/** Equal for one attempt of one run alone. */
export const attemptOf = ({ id, epoch }: AttemptRow): string => `${id} ${epoch}`;

/** What became of settled items. @param refused those that the statement refused, by {@link attemptOf}. */
export async function settleOutcomes(
  db: Queryable,
  items: readonly SettleItem[],
  refused: ReadonlySet<string>,
  info: SettleInfo,
): Promise<readonly SettleOutcome[]> {
  if (refused.size === 0) return items.map(() => 'settled');
  const keys = items.map(({ runId, epoch }) => attemptOf({ id: runId, epoch }));
  const mine = await settledAt(
    db,
    items.filter((_, index) => refused.has(keys[index] ?? '')),
    info,
  );
  return keys.map((key) => (refused.has(key) && !mine.has(key) ? 'fenced' : 'settled'));
}

/** A run that ends so is somebody else's next, who may have settled it as well by the time of the repeat. */
const QUEUED_AGAIN = `'retry_scheduled', 'handed_back', 'deferred'`;

/**
 * Of refused items, those whose own epoch settled the run: their first, unanswered commit had happened. Where a later
 * attempt has settled the run since, the event of the first says so.
 */
async function settledAt(
  db: Queryable,
  items: readonly SettleItem[],
  { source }: SettleInfo,
): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<AttemptRow>({
    name: 'spine_settled_at',
    text: `SELECT t.id, t.epoch FROM unnest($1::uuid[], $2::bigint[]) AS t(id, epoch)
CROSS JOIN LATERAL (SELECT r.id, r.finished_epoch FROM runs r WHERE r.id = t.id LIMIT 1) r
WHERE r.finished_epoch = t.epoch OR r.finished_epoch > t.epoch AND EXISTS (
  SELECT 1 FROM run_events e
  WHERE e.run_id = t.id AND e.epoch = t.epoch AND e.source = $3 AND e.event_type IN (${QUEUED_AGAIN}) OFFSET 0)`,
    values: [
      plainArray(items.map((item) => item.runId)),
      plainArray(items.map((item) => item.epoch)),
      source,
    ],
  });
  return new Set(rows.map(attemptOf));
}
