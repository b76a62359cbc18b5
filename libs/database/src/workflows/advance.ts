/**
 * One advance of workflow runs: what they are, what they have to be told, and what becomes of them. All of it in one
 * transaction, for any number of workflows.
 *
 * 1. The rows of the workflows are locked first and never waited for: two drivers do not advance one workflow, and many
 * workflows in one transaction cannot wait for each other in a circle.
 * 2. The rows of their runs are locked with them, and say whether the engine still holds each: at the epoch of the hand-over,
 * or not at all. A cancel waits for an advance under way, and then sees the children that it has started; an advance
 * does not wait for a cancel, whose end wakes the drivers.
 * 3. What was told is removed by what it has led to.
 */
import type { RunStatus } from '@spine/core';
import { NEVER } from '../runs/hand-over.ts';
import type { StoredError } from '../runs/record.ts';
import { jsonArray, plainArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';
import type { WorkflowWork } from './steps.ts';
import { recordTooLate } from './too-late.ts';
import type { RemovedEvent } from './too-late.ts';

/** A workflow run under the lock of its advance. */
export interface LockedWorkflow {
  readonly runId: string;
  readonly name: string;
  readonly version: number;
  /** At which the engine holds the run, or held it. */
  readonly epoch: number;
  /** Canonical JSON; null for a run that is not tracked. */
  readonly partitionKey: string | null;
  /** JSON; null before the first advance. */
  readonly head: unknown;
  readonly seq: number;
  readonly run: {
    readonly status: RunStatus;
    readonly epoch: number;
    readonly lane: string;
    readonly priority: number;
    readonly correlationId: string | null;
    readonly parentRunId: string | null;
    readonly deadLetter: boolean;
    readonly namespace: string | null;
    /** W3C traceparent of what submitted it; null where that was not traced. */
    readonly traceContext: string | null;
  };
  /** The database's clock, the same for the whole transaction. */
  readonly now: Date;
}

interface LockedRow {
  run_id: string;
  name: string;
  version: number;
  epoch: number;
  partition_key: string | null;
  head: unknown;
  seq: number;
  run_status: RunStatus;
  run_epoch: number;
  lane: string;
  priority: number;
  correlation_id: string | null;
  parent_run_id: string | null;
  dead_letter: boolean;
  namespace: string | null;
  trace_context: string | null;
  now: Date;
}

export const LOCK_WORKFLOWS_SQL = `SELECT w.run_id, w.name, w.version, w.epoch, w.partition_key, w.head, w.seq,
  r.status AS run_status, r.epoch AS run_epoch, r.lane, r.priority, r.correlation_id, r.parent_run_id, r.dead_letter,
  r.namespace, r.trace_context, now() AS now
FROM workflow_runs w JOIN runs r ON r.id = w.run_id
WHERE w.run_id = ANY ($1::uuid[]) AND w.status <> 'ended'
FOR NO KEY UPDATE OF w SKIP LOCKED FOR NO KEY UPDATE OF r SKIP LOCKED`;

/** Those that have not ended, are there, and are neither being advanced nor changed by somebody else. */
export async function lockWorkflows(
  trx: DbTransaction,
  runIds: readonly string[],
): Promise<LockedWorkflow[]> {
  const { rows } = await asQueryable(trx).query<LockedRow>({
    text: LOCK_WORKFLOWS_SQL,
    values: [plainArray(runIds)],
  });
  return rows.map((row) => ({
    runId: row.run_id,
    name: row.name,
    version: row.version,
    epoch: row.epoch,
    partitionKey: row.partition_key,
    head: row.head,
    seq: row.seq,
    run: { status: row.run_status, epoch: row.run_epoch, ...heldRunFacts(row) },
    now: row.now,
  }));
}

/** What a workflow takes over from its run's row. */
export function heldRunFacts(
  row: Pick<
    LockedRow,
    'lane' | 'priority' | 'correlation_id' | 'parent_run_id' | 'dead_letter' | 'namespace' | 'trace_context'
  >,
): Omit<LockedWorkflow['run'], 'status' | 'epoch'> {
  return {
    lane: row.lane,
    priority: row.priority,
    correlationId: row.correlation_id,
    parentRunId: row.parent_run_id,
    deadLetter: row.dead_letter,
    namespace: row.namespace,
    traceContext: row.trace_context,
  };
}

/** A run that the workflow has started, as it ended; null where its row was deleted since. */
export interface EndedChild {
  readonly runId: string;
  /** What was started with it; null for a run that no command of the workflow has started. */
  readonly work: WorkflowWork | null;
  readonly status: RunStatus;
  readonly result: unknown;
  readonly resultRef: string | null;
  readonly error: StoredError | null;
}

export interface InboxEvent {
  readonly seq: number;
  /** Null where `ended` says what has happened. */
  readonly event: unknown;
  readonly ended: EndedChild | null;
}

interface InboxRow {
  workflow_run_id: string;
  event_seq: number;
  event: unknown;
  ended_run_id: string | null;
  unit: string | null;
  attempt: number | null;
  kind: WorkflowWork['kind'] | null;
  status: RunStatus | null;
  result: unknown;
  result_ref: string | null;
  error: StoredError | null;
}

export const INBOX_SQL = `SELECT w.id AS workflow_run_id, i.event_seq, i.event, i.ended_run_id, s.unit, s.attempt, s.kind, c.status,
  c.result, c.result_ref, c.error
FROM unnest($1::uuid[]) AS w(id) CROSS JOIN LATERAL (
  SELECT event_seq, event, ended_run_id, due_at FROM workflow_inbox
  WHERE workflow_run_id = w.id AND due_at <= now() ORDER BY due_at, event_seq LIMIT $2
) i
LEFT JOIN workflow_steps s ON s.run_id = i.ended_run_id AND s.workflow_run_id = w.id
LEFT JOIN runs c ON c.id = i.ended_run_id
ORDER BY i.due_at, i.event_seq`;

/** What is due for workflow runs, by the run, each in the order in which it became due. @param limit of one run. */
export async function inboxesOf(
  trx: DbTransaction,
  runIds: readonly string[],
  limit: number,
): Promise<ReadonlyMap<string, InboxEvent[]>> {
  const inboxes = new Map<string, InboxEvent[]>();
  if (runIds.length === 0) return inboxes;
  const { rows } = await asQueryable(trx).query<InboxRow>({
    text: INBOX_SQL,
    values: [plainArray(runIds), limit],
  });
  for (const row of rows) {
    const inbox = inboxes.get(row.workflow_run_id) ?? [];
    inboxes.set(row.workflow_run_id, inbox);
    inbox.push({ seq: row.event_seq, event: row.event, ended: endedChild(row) });
  }
  return inboxes;
}

function endedChild(row: InboxRow): EndedChild | null {
  if (row.ended_run_id === null || row.status === null) return null;
  return {
    runId: row.ended_run_id,
    work:
      row.unit === null || row.attempt === null || row.kind === null
        ? null
        : { unit: row.unit, attempt: row.attempt, kind: row.kind },
    status: row.status,
    result: row.result,
    resultRef: row.result_ref,
    error: row.error,
  };
}

export interface Advance {
  readonly locked: LockedWorkflow;
  /** JSON of the head of the state it has led to. */
  readonly head: unknown;
  /** Rows of the inbox that were told. */
  readonly told: readonly number[];
  /** JSON of the events, in order, for the history. */
  readonly events: readonly unknown[];
  /** Nothing more happens: what the run would still be told comes too late, what it has asked is withdrawn. */
  readonly ended: boolean;
}

const SAVE_SQL = `WITH d AS (DELETE FROM workflow_inbox WHERE event_seq = ANY ($4::bigint[])), h AS (
  INSERT INTO workflow_history (run_id, event_no, event, timestamp)
  SELECT t.run_id, t.no, t.event::jsonb, $8::timestamptz
  FROM unnest($5::uuid[], $6::bigint[], $7::text[]) AS t(run_id, no, event)
)
UPDATE workflow_runs w SET head = t.head::jsonb, seq = t.seq, status = CASE WHEN t.ended THEN 'ended' ELSE w.status END,
  ended_at = CASE WHEN t.ended THEN now() END
FROM unnest($1::uuid[], $2::text[], $3::bigint[], $9::boolean[]) AS t(run_id, head, seq, ended) WHERE w.run_id = t.run_id`;

/** Ends advances of one transaction. */
export async function saveAdvances(trx: DbTransaction, advances: readonly Advance[]): Promise<void> {
  const [first] = advances;
  if (first === undefined) return;
  const history = advances.flatMap(({ locked: { runId, seq }, events }) =>
    events.map((event, index) => ({ runId, no: seq + 1 + index, event })),
  );
  await asQueryable(trx).query({
    text: SAVE_SQL,
    values: [
      plainArray(advances.map(({ locked }) => locked.runId)),
      jsonArray(advances.map(({ head }) => head)),
      plainArray(advances.map(({ locked, events }) => locked.seq + events.length)),
      plainArray(advances.flatMap(({ told }) => told)),
      plainArray(history.map(({ runId }) => runId)),
      plainArray(history.map(({ no }) => no)),
      jsonArray(history.map(({ event }) => event)),
      first.locked.now.toISOString(),
      plainArray(advances.map(({ ended }) => ended)),
    ],
  });
  await clearUpWorkflows(
    trx,
    advances.flatMap(({ locked, ended }) => (ended ? [locked.runId] : [])),
  );
}

/** The engine does not hold the runs now: nothing of them is looked at until they are handed over again, or end. */
export async function suspendWorkflows(trx: DbTransaction, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  await asQueryable(trx).query({
    text: `WITH i AS (
  UPDATE workflow_inbox SET due_at = ${NEVER} WHERE workflow_run_id = ANY ($1::uuid[]) AND due_at <= now()
)
UPDATE workflow_runs SET status = 'suspended' WHERE run_id = ANY ($1::uuid[])`,
    values: [plainArray(runIds)],
  });
}

/** Ends workflows whose runs were ended from outside. */
export async function endWorkflows(trx: DbTransaction, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  await asQueryable(trx).query({
    text: `UPDATE workflow_runs SET status = 'ended', ended_at = now() WHERE run_id = ANY ($1::uuid[])`,
    values: [plainArray(runIds)],
  });
  await clearUpWorkflows(trx, runIds);
}

/** Of workflows that have ended: what they would still be told comes too late, what they have asked is withdrawn. */
export async function clearUpWorkflows(trx: DbTransaction, runIds: readonly string[]): Promise<void> {
  if (runIds.length === 0) return;
  const { rows } = await asQueryable(trx).query<RemovedEvent>({
    text: `WITH i AS (
  DELETE FROM workflow_inbox WHERE workflow_run_id = ANY ($1::uuid[]) RETURNING workflow_run_id, event_seq, event, timer
), a AS (
  UPDATE workflow_approvals SET withdrawn_at = now()
  WHERE workflow_run_id = ANY ($1::uuid[]) AND decided_at IS NULL AND withdrawn_at IS NULL
)
SELECT workflow_run_id, event, timer FROM i WHERE timer IS NULL AND event IS NOT NULL ORDER BY event_seq`,
    values: [plainArray(runIds)],
  });
  await recordTooLate(trx, rows);
}
