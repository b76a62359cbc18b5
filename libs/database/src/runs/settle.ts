/**
 * Settling: the end of an attempt, its event and its dead letter in one guarded statement, for any number of runs.
 *
 * 1. Accepted only while the run is `running` at the settler's epoch. A guard on status alone accepts a stale
 *    attempt's outcome; a guard on the id alone leaves terminal states.
 * 2. One item that is refused never fails its neighbours: the statement answers with the refused ids.
 * 3. A run that goes back to the queue is due for a hint when it is available; the relay sends it.
 * 4. Workflows that wait for what ends here are told in the same statement; `workflow_told` says so to the trigger that
 *    tells them of every other end.
 * 5. `finished_epoch` remembers who settled, so that a repeat after an ambiguous commit recognises itself.
 */
import { assertNever } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import type { StoredError } from './record.ts';

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

interface Encoded {
  readonly status: string;
  /** Null means terminal. */
  readonly delayMs: number | null;
  readonly result: string | null;
  readonly resultRef: string | null;
  readonly error: string | null;
  readonly eventType: string;
  readonly eventData: string | null;
}

function encode(settlement: Settlement): Encoded {
  switch (settlement.type) {
    case 'completed':
      return {
        status: 'completed',
        delayMs: null,
        result: settlement.result,
        resultRef: settlement.resultRef ?? null,
        error: null,
        eventType: 'completed',
        eventData: null,
      };
    case 'retry': {
      const error = JSON.stringify(settlement.error);
      return {
        status: 'queued',
        delayMs: settlement.delayMs,
        result: null,
        resultRef: null,
        error,
        eventType: 'retry_scheduled',
        eventData: `{"error":${error},"delay_ms":${settlement.delayMs}}`,
      };
    }
    case 'failed':
    case 'timed_out':
    case 'dead_lettered': {
      const error = JSON.stringify(settlement.error);
      return {
        status: settlement.type,
        delayMs: null,
        result: null,
        resultRef: null,
        error,
        eventType: settlement.type,
        eventData: `{"error":${error}}`,
      };
    }
    case 'handed_back':
      return {
        status: 'queued',
        delayMs: 0,
        result: null,
        resultRef: null,
        error: null,
        eventType: 'handed_back',
        eventData: JSON.stringify({ reason: settlement.reason }),
      };
    case 'deferred':
      return {
        status: 'queued',
        delayMs: settlement.delayMs,
        result: null,
        resultRef: null,
        error: null,
        eventType: 'deferred',
        eventData: JSON.stringify({ reason: settlement.reason, delay_ms: settlement.delayMs }),
      };
    default:
      return assertNever(settlement);
  }
}

/** A run ends at the time of the statement: a transaction that publishes began when its work did. */
export const SETTLE_CTES = `i AS (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::text[], $7::text[], $8::text[],
    $9::text[]) AS t(id, epoch, status, delay_ms, result, error, event_type, event_data, result_ref)
), u AS (
  UPDATE runs r SET status = i.status, finished_epoch = i.epoch,
    epoch = r.epoch + (i.event_type IN ('handed_back', 'deferred'))::int,
    attempt = r.attempt - (i.event_type IN ('handed_back', 'deferred'))::int,
    result = i.result::jsonb, result_ref = i.result_ref, error = i.error::jsonb,
    lease_owner = NULL, lease_expires_at = NULL, deadline_at = NULL,
    available_at = CASE WHEN i.delay_ms IS NULL THEN r.available_at
      ELSE now() + i.delay_ms * interval '1 millisecond' END,
    dispatch_after = now() + i.delay_ms * interval '1 millisecond',
    completed_at = CASE WHEN i.delay_ms IS NULL THEN statement_timestamp() END,
    workflow_told = CASE WHEN i.delay_ms IS NULL AND r.kind IN ('step', 'workflow') THEN true END
  FROM i WHERE r.id = i.id AND r.epoch = i.epoch AND r.status || '' = 'running'
  RETURNING r.id, i.epoch, r.status, i.delay_ms, i.event_type, i.event_data, r.kind, r.name, r.lane, r.params, r.error,
    r.attempt, r.crash_count, r.correlation_id, r.parent_run_id, r.workflow_told
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, terminal, data, source, timestamp)
  SELECT id, epoch, event_type, delay_ms IS NULL, event_data::jsonb, $10, statement_timestamp() FROM u
), d AS (
  INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count, correlation_id)
  SELECT id, kind, name, lane, params, error, error->>'category', attempt, crash_count, correlation_id
  FROM u WHERE status = 'dead_lettered'
), w AS (
  INSERT INTO workflow_inbox (workflow_run_id, ended_run_id)
  SELECT w.run_id, u.id FROM u CROSS JOIN LATERAL (VALUES (u.parent_run_id), (u.id)) AS x(id)
  JOIN workflow_runs w ON w.run_id = x.id WHERE u.workflow_told AND w.status || '' <> 'ended'
)`;

/** The items that were refused. The counts come first: where nothing was, nothing is compared. */
export const REFUSED =
  'i WHERE (SELECT count(*) FROM u) < cardinality($1::uuid[]) AND NOT EXISTS (SELECT 1 FROM u WHERE u.id = i.id)';

export const SETTLE_SQL = `WITH ${SETTLE_CTES}
SELECT i.id FROM ${REFUSED}`;

export interface SettleInfo {
  /** Written as the events' source, e.g. `worker:<id>`. */
  readonly source: string;
}

/** The parameters of {@link SETTLE_CTES}, `$1` to `$10`. */
export function settleValues(items: readonly SettleItem[], info: SettleInfo): unknown[] {
  const encoded = items.map((item) => encode(item.settlement));
  return [
    plainArray(items.map((item) => item.runId)),
    plainArray(items.map((item) => item.epoch)),
    plainArray(encoded.map((value) => value.status)),
    plainArray(encoded.map((value) => value.delayMs)),
    textArray(encoded.map((value) => value.result)),
    textArray(encoded.map((value) => value.error)),
    plainArray(encoded.map((value) => value.eventType)),
    textArray(encoded.map((value) => value.eventData)),
    textArray(encoded.map((value) => value.resultRef)),
    info.source,
  ];
}

/** Settles attempts; answers per item, in order. */
export async function settleRuns(
  db: Queryable,
  items: readonly SettleItem[],
  info: SettleInfo,
): Promise<readonly SettleOutcome[]> {
  if (items.length === 0) return [];
  const { rows } = await db.query<{ id: string }>({
    name: 'spine_settle',
    text: SETTLE_SQL,
    values: settleValues(items, info),
  });
  return settleOutcomes(db, items, new Set(rows.map((row) => row.id)));
}

/** What became of settled items, given the ids the statement refused. */
export async function settleOutcomes(
  db: Queryable,
  items: readonly SettleItem[],
  refused: ReadonlySet<string>,
): Promise<readonly SettleOutcome[]> {
  if (refused.size === 0) return items.map(() => 'settled');
  const mine = await settledAt(
    db,
    items.filter((item) => refused.has(item.runId)),
  );
  return items.map((item) => (refused.has(item.runId) && !mine.has(item.runId) ? 'fenced' : 'settled'));
}

/** Of refused items, those whose own epoch settled the run: their first, unanswered commit had happened. */
async function settledAt(db: Queryable, items: readonly SettleItem[]): Promise<ReadonlySet<string>> {
  const { rows } = await db.query<{ id: string }>({
    name: 'spine_settled_at',
    text: `SELECT r.id FROM runs r JOIN unnest($1::uuid[], $2::bigint[]) AS t(id, epoch) ON r.id = t.id
WHERE r.finished_epoch = t.epoch`,
    values: [plainArray(items.map((item) => item.runId)), plainArray(items.map((item) => item.epoch))],
  });
  return new Set(rows.map((row) => row.id));
}
