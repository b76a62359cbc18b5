/**
 * One advance of a workflow run: what it is, what it has to be told, and what becomes of it. All of it in one transaction.
 *
 * 1. The row of the workflow is locked first and never waited for: two drivers do not advance one workflow.
 * 2. The row of the run is locked behind it, and says whether the engine still holds the run: at the epoch of the hand-over,
 * or not at all. A cancel waits for an advance under way, and then sees the children that it has started.
 * 3. What was told is removed by what it has led to.
 */
import type { RunStatus } from '@spine/core';
import { NEVER } from '../runs/hand-over.ts';
import type { StoredError } from '../runs/record.ts';
import { plainArray, textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';
import type { WorkflowWork } from './steps.ts';

/** A workflow run under the lock of its advance. */
export interface LockedWorkflow {
  readonly runId: string;
  readonly name: string;
  readonly version: number;
  /** At which the engine holds the run, or held it. */
  readonly epoch: number;
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
  };
  /** The database's clock, the same for the whole transaction. */
  readonly now: Date;
}

interface LockedRow {
  name: string;
  version: number;
  epoch: number;
  head: unknown;
  seq: number;
  run_status: RunStatus;
  run_epoch: number;
  lane: string;
  priority: number;
  correlation_id: string | null;
  parent_run_id: string | null;
  dead_letter: boolean;
  now: Date;
}

export const LOCK_WORKFLOW_SQL = `SELECT w.name, w.version, w.epoch, w.head, w.seq, r.status AS run_status,
  r.epoch AS run_epoch, r.lane, r.priority, r.correlation_id, r.parent_run_id, r.dead_letter, now() AS now
FROM workflow_runs w JOIN runs r ON r.id = w.run_id
WHERE w.run_id = $1::uuid AND w.status <> 'ended'
FOR NO KEY UPDATE OF w SKIP LOCKED FOR NO KEY UPDATE OF r`;

/** Null for one that has ended, is not there, or is being advanced by somebody else. */
export async function lockWorkflow(trx: DbTransaction, runId: string): Promise<LockedWorkflow | null> {
  const { rows } = await asQueryable(trx).query<LockedRow>({ text: LOCK_WORKFLOW_SQL, values: [runId] });
  const [row] = rows;
  if (row === undefined) return null;
  const { name, version, epoch, head, seq, now } = row;
  return {
    runId,
    name,
    version,
    epoch,
    head,
    seq,
    run: {
      status: row.run_status,
      epoch: row.run_epoch,
      lane: row.lane,
      priority: row.priority,
      correlationId: row.correlation_id,
      parentRunId: row.parent_run_id,
      deadLetter: row.dead_letter,
    },
    now,
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

export const INBOX_SQL = `SELECT i.event_seq, i.event, i.ended_run_id, s.unit, s.attempt, s.kind, c.status, c.result, c.result_ref, c.error
FROM (
  SELECT event_seq, event, ended_run_id, due_at FROM workflow_inbox
  WHERE workflow_run_id = $1::uuid AND due_at <= now() ORDER BY due_at, event_seq LIMIT $2
) i
LEFT JOIN workflow_steps s ON s.run_id = i.ended_run_id AND s.workflow_run_id = $1::uuid
LEFT JOIN runs c ON c.id = i.ended_run_id
ORDER BY i.due_at, i.event_seq`;

/** What is due for a workflow run, in the order in which it became due. */
export async function inboxOf(trx: DbTransaction, runId: string, limit: number): Promise<InboxEvent[]> {
  const { rows } = await asQueryable(trx).query<InboxRow>({ text: INBOX_SQL, values: [runId, limit] });
  return rows.map((row) => ({
    seq: row.event_seq,
    event: row.event,
    ended:
      row.ended_run_id === null || row.status === null
        ? null
        : {
            runId: row.ended_run_id,
            work:
              row.unit === null || row.attempt === null || row.kind === null
                ? null
                : { unit: row.unit, attempt: row.attempt, kind: row.kind },
            status: row.status,
            result: row.result,
            resultRef: row.result_ref,
            error: row.error,
          },
  }));
}

export interface Advance {
  /** JSON of the head of the state it has led to. */
  readonly head: unknown;
  /** Rows of the inbox that were told. */
  readonly told: readonly number[];
  /** JSON of the events, in order, for the history. */
  readonly events: readonly unknown[];
}

/** Ends an advance. */
export async function saveAdvance(
  trx: DbTransaction,
  { runId, seq, now }: LockedWorkflow,
  { head, told, events }: Advance,
): Promise<void> {
  await asQueryable(trx).query({
    text: `WITH d AS (DELETE FROM workflow_inbox WHERE event_seq = ANY ($3::bigint[]) AND workflow_run_id = $1::uuid), h AS (
  INSERT INTO workflow_history (run_id, event_no, event, timestamp)
  SELECT $1::uuid, $4::bigint + t.no, t.event::jsonb, $6::timestamptz
  FROM unnest($5::text[]) WITH ORDINALITY AS t(event, no)
)
UPDATE workflow_runs SET head = $2::jsonb, seq = $4::bigint + cardinality($5::text[]) WHERE run_id = $1::uuid`,
    values: [
      runId,
      JSON.stringify(head),
      plainArray(told),
      seq,
      textArray(events.map((event) => JSON.stringify(event))),
      now.toISOString(),
    ],
  });
}

/** The engine does not hold the run now: nothing of it is looked at until it is handed over again, or ends. */
export async function suspendWorkflow(trx: DbTransaction, runId: string): Promise<void> {
  await asQueryable(trx).query({
    text: `WITH i AS (
  UPDATE workflow_inbox SET due_at = ${NEVER} WHERE workflow_run_id = $1::uuid AND due_at <= now()
)
UPDATE workflow_runs SET status = 'suspended' WHERE run_id = $1::uuid`,
    values: [runId],
  });
}

/** Nothing more happens: what it would still be told is removed, what it has asked is withdrawn. */
export async function endWorkflow(trx: DbTransaction, runId: string): Promise<void> {
  await asQueryable(trx).query({
    text: `WITH i AS (DELETE FROM workflow_inbox WHERE workflow_run_id = $1::uuid), a AS (
  UPDATE workflow_approvals SET withdrawn_at = now()
  WHERE workflow_run_id = $1::uuid AND decided_at IS NULL AND withdrawn_at IS NULL
)
UPDATE workflow_runs SET status = 'ended', ended_at = now() WHERE run_id = $1::uuid`,
    values: [runId],
  });
}
