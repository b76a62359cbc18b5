/**
 * The statements of settle.ts. What most batches hold are attempts that completed, with a result that fits into its row:
 * for those there is a form of its own, in which nothing is sent or decided that is the same for all of them.
 */
import { assertNever } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { SettleInfo, SettleItem, Settlement } from './settle.ts';

/** A way to settle: what is sent, and the statement for it. */
export interface SettleForm {
  /** Part of the names of its statements. */
  readonly suffix: string;
  /** `i` what was asked for, `u` what was settled, and what follows from it. */
  readonly ctes: string;
  /** Answers with the ids and epochs that were refused. */
  readonly sql: string;
  /** How many parameters {@link ctes} have. */
  readonly parameters: number;
  values(items: readonly SettleItem[], info: SettleInfo): unknown[];
}

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

/** Refused unless the attempt still holds the run. */
const GUARD = `r.id = i.id AND r.epoch = i.epoch AND r.status || '' = 'running'`;

/** Workflows that wait for a run are told of its end. */
const TELL_WORKFLOWS = `w AS (
  INSERT INTO workflow_inbox (workflow_run_id, ended_run_id)
  SELECT w.run_id, u.id FROM u CROSS JOIN LATERAL (VALUES (u.parent_run_id), (u.id)) AS x(id)
  JOIN workflow_runs w ON w.run_id = x.id WHERE u.workflow_told AND w.status || '' <> 'ended'
)`;

/** A run ends at the time of the statement: a transaction that publishes began when its work did. */
const ANY_CTES = `i AS (
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
  FROM i WHERE ${GUARD}
  RETURNING r.id, i.epoch, r.status, i.delay_ms, i.event_type, i.event_data, r.kind, r.name, r.lane, r.params, r.error,
    r.attempt, r.crash_count, r.correlation_id, r.parent_run_id, r.workflow_told
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, terminal, data, source, timestamp)
  SELECT id, epoch, event_type, delay_ms IS NULL, event_data::jsonb, $10, statement_timestamp() FROM u
), d AS (
  INSERT INTO dead_letters (run_id, kind, name, lane, params, error, error_category, attempts, crash_count, correlation_id)
  SELECT id, kind, name, lane, params, error, error->>'category', attempt, crash_count, correlation_id
  FROM u WHERE status = 'dead_lettered'
), ${TELL_WORKFLOWS}`;

const COMPLETED_CTES = `i AS (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[]) AS t(id, epoch, result)
), u AS (
  UPDATE runs r SET status = 'completed', finished_epoch = i.epoch, result = i.result::jsonb, error = NULL,
    lease_owner = NULL, lease_expires_at = NULL, deadline_at = NULL, dispatch_after = NULL,
    completed_at = statement_timestamp(), workflow_told = CASE WHEN r.kind IN ('step', 'workflow') THEN true END
  FROM i WHERE ${GUARD}
  RETURNING r.id, i.epoch, r.parent_run_id, r.workflow_told
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, terminal, source, timestamp)
  SELECT id, epoch, 'completed', true, $4, statement_timestamp() FROM u
), ${TELL_WORKFLOWS}`;

/**
 * The items that were refused. The counts come first: where nothing was, nothing is compared. By epoch as well: an attempt
 * that has lost its run may end together with the one that has it.
 */
export const REFUSED = `i WHERE (SELECT count(*) FROM u) < cardinality($1::uuid[])
  AND NOT EXISTS (SELECT 1 FROM u WHERE u.id = i.id AND u.epoch = i.epoch)`;

const settleSql = (ctes: string): string => `WITH ${ctes}
SELECT i.id, i.epoch FROM ${REFUSED}`;

/** For attempts that ended in whatever ways. */
export const ANY_END: SettleForm = {
  suffix: '',
  ctes: ANY_CTES,
  sql: settleSql(ANY_CTES),
  parameters: 10,
  values: (items, info) => {
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
  },
};

const resultOf = ({ settlement }: SettleItem): string | null =>
  settlement.type === 'completed' ? settlement.result : null;

/** For attempts that all completed, none with a result outside of its row. */
export const COMPLETIONS: SettleForm = {
  suffix: '_completed',
  ctes: COMPLETED_CTES,
  sql: settleSql(COMPLETED_CTES),
  parameters: 4,
  values: (items, info) => [
    plainArray(items.map((item) => item.runId)),
    plainArray(items.map((item) => item.epoch)),
    textArray(items.map(resultOf)),
    info.source,
  ],
};

/** The form for these items. */
export function settleForm(items: readonly SettleItem[]): SettleForm {
  const areCompletions = items.every(
    ({ settlement }) => settlement.type === 'completed' && settlement.resultRef === undefined,
  );
  return areCompletions ? COMPLETIONS : ANY_END;
}
