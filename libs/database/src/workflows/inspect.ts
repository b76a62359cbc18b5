/**
 * Reading workflow runs for people. Nothing here decides anything, and nothing is locked.
 *
 * 1. What is read together is read in one snapshot ({@link inSnapshot}): a step is not shown as running by one part of an
 * answer and as completed by another. 2. Every list is bounded by what the caller asks for, every value by `maxBytes`: what
 * is larger is left out, in the database.
 */
import { textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { NEVER } from '../runs/hand-over.ts';
import type { RunStatus } from '@spine/core';

/** One moment of the database for all of `work`, which writes nothing. */
export function inSnapshot<T>(db: Db, work: (trx: DbTransaction) => Promise<T>): Promise<T> {
  return db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work);
}

export interface WorkflowRunRecord {
  readonly runId: string;
  readonly name: string;
  readonly version: number;
  /** suspended: its run is paused, or waits for a worker after a pause. */
  readonly status: 'active' | 'suspended' | 'ended';
  /** JSON of the planner's head; null before the first advance. */
  readonly head: unknown;
  /** Events told so far. */
  readonly seq: number;
  readonly createdAt: Date;
  readonly endedAt: Date | null;
}

/** Null for a run that was not handed over to the engine. */
export async function getWorkflowRun(
  db: Db | DbTransaction,
  runId: string,
): Promise<WorkflowRunRecord | null> {
  const row = await db
    .selectFrom('workflow_runs')
    .select(['run_id', 'name', 'version', 'status', 'head', 'seq', 'created_at', 'ended_at'])
    .where('run_id', '=', runId)
    .executeTakeFirst();
  if (row === undefined) return null;
  const { run_id, created_at, ended_at, ...rest } = row;
  return { ...rest, runId: run_id, createdAt: created_at, endedAt: ended_at };
}

export const STEP_STATUSES_SQL = `SELECT key, value->>'status' AS status, jsonb_typeof(value->'undo') = 'object' AS undone
FROM workflow_state WHERE run_id = $1::uuid AND part = 'step'`;

export interface StepStatusRecord {
  readonly status: string;
  /** Whether its compensation has begun. */
  readonly undone: boolean;
}

/** Each step that something has happened to. */
export async function readStepStatuses(
  trx: DbTransaction,
  runId: string,
): Promise<ReadonlyMap<string, StepStatusRecord>> {
  const { rows } = await asQueryable(trx).query<StepStatusRecord & { key: string }>({
    text: STEP_STATUSES_SQL,
    values: [runId],
  });
  return new Map(rows.map(({ key, ...step }) => [key, step]));
}

/** A record of the state whose large values may have been left out. */
export interface ShownRecord {
  readonly key: string;
  /** JSON, without the fields that were asked to be bounded where `omitted`. */
  readonly value: unknown;
  /** Whether those fields were larger than allowed and are missing. */
  readonly omitted: boolean;
}

export const SHOWN_RECORDS_SQL = `SELECT s.key, s.value - CASE WHEN b.omitted THEN $5::text[] ELSE '{}' END AS value, b.omitted
FROM unnest($3::text[]) AS t(key)
JOIN workflow_state s ON s.run_id = $1::uuid AND s.part = $2 AND s.key = t.key
CROSS JOIN LATERAL (SELECT octet_length(s.value::text) > $4::integer AS omitted) b`;

/** Those of the records that exist, each without `large` fields where it has more than `maxBytes` of JSON. */
export async function readShownRecords(
  trx: DbTransaction,
  runId: string,
  part: 'step' | 'item',
  keys: readonly string[],
  { maxBytes, large }: { readonly maxBytes: number; readonly large: readonly string[] },
): Promise<ReadonlyMap<string, ShownRecord>> {
  if (keys.length === 0) return new Map();
  const { rows } = await asQueryable(trx).query<ShownRecord>({
    text: SHOWN_RECORDS_SQL,
    values: [runId, part, textArray(keys), maxBytes, textArray(large)],
  });
  return new Map(rows.map((row) => [row.key, row]));
}

/** The attempts of a unit: the first one's beginning, and the last one. */
export interface UnitTimes {
  readonly unit: string;
  readonly begunAt: Date;
  readonly last: {
    readonly runId: string;
    /** Null where its row was deleted since. */
    readonly status: RunStatus | null;
    readonly startedAt: Date | null;
    readonly completedAt: Date | null;
  };
}

interface UnitTimesRow {
  unit: string;
  begun_at: Date;
  run_id: string;
  status: RunStatus | null;
  started_at: Date | null;
  completed_at: Date | null;
}

export const UNIT_TIMES_SQL = `SELECT t.unit, f.created_at AS begun_at, l.run_id, r.status, r.started_at, r.completed_at
FROM unnest($2::text[]) AS t(unit)
CROSS JOIN LATERAL (SELECT s.created_at FROM workflow_steps s
  WHERE s.workflow_run_id = $1::uuid AND s.unit = t.unit ORDER BY s.attempt LIMIT 1) f
CROSS JOIN LATERAL (SELECT s.run_id FROM workflow_steps s
  WHERE s.workflow_run_id = $1::uuid AND s.unit = t.unit ORDER BY s.attempt DESC LIMIT 1) l
LEFT JOIN runs r ON r.id = l.run_id`;

/** When the runs of units began and ended; none for a unit that was never started. */
export async function readUnitTimes(
  trx: DbTransaction,
  runId: string,
  units: readonly string[],
): Promise<ReadonlyMap<string, UnitTimes>> {
  if (units.length === 0) return new Map();
  const { rows } = await asQueryable(trx).query<UnitTimesRow>({
    text: UNIT_TIMES_SQL,
    values: [runId, textArray(units)],
  });
  return new Map(
    rows.map((row) => [
      row.unit,
      {
        unit: row.unit,
        begunAt: row.begun_at,
        last: {
          runId: row.run_id,
          status: row.status,
          startedAt: row.started_at,
          completedAt: row.completed_at,
        },
      },
    ]),
  );
}

export interface OpenTimer {
  readonly timer: string;
  /** Null while the workflow is suspended: it is told when that ends. */
  readonly dueAt: Date | null;
}

export const OPEN_TIMERS_SQL = `SELECT timer, CASE WHEN due_at < ${NEVER} THEN due_at END AS due_at FROM workflow_inbox
WHERE workflow_run_id = $1::uuid AND timer IS NOT NULL ORDER BY due_at, event_seq LIMIT $2`;

/** Timers that are set, the next one first. */
export async function readOpenTimers(trx: DbTransaction, runId: string, limit: number): Promise<OpenTimer[]> {
  const { rows } = await asQueryable(trx).query<{ timer: string; due_at: Date | null }>({
    text: OPEN_TIMERS_SQL,
    values: [runId, limit],
  });
  return rows.map(({ timer, due_at: dueAt }) => ({ timer, dueAt }));
}

/** When timers are due, of those that are set. */
export async function readTimers(
  trx: DbTransaction,
  runId: string,
  timers: readonly string[],
): Promise<ReadonlyMap<string, OpenTimer>> {
  if (timers.length === 0) return new Map();
  const { rows } = await asQueryable(trx).query<{ timer: string; due_at: Date | null }>({
    text: `SELECT timer, CASE WHEN due_at < ${NEVER} THEN due_at END AS due_at FROM workflow_inbox
WHERE workflow_run_id = $1::uuid AND timer = ANY ($2::text[])`,
    values: [runId, textArray(timers)],
  });
  return new Map(rows.map(({ timer, due_at: dueAt }) => [timer, { timer, dueAt }]));
}

export interface ApprovalRecord {
  readonly step: string;
  readonly attempt: number;
  readonly approvers: readonly string[];
  readonly message: string;
  readonly fields: unknown;
  readonly askedAt: Date;
  readonly expiresAt: Date;
  readonly decidedAt: Date | null;
  readonly withdrawnAt: Date | null;
}

/** Questions of a run that nobody has answered, the oldest first. */
export async function readOpenApprovals(
  trx: DbTransaction,
  runId: string,
  limit: number,
): Promise<ApprovalRecord[]> {
  const rows = await approvalsOf(trx, runId)
    .where('decided_at', 'is', null)
    .where('withdrawn_at', 'is', null)
    .orderBy('asked_at')
    .orderBy('step')
    .limit(limit)
    .execute();
  return rows.map(toApproval);
}

/** The last question of each of these steps that has asked one. */
export async function readApprovals(
  trx: DbTransaction,
  runId: string,
  steps: readonly string[],
): Promise<ReadonlyMap<string, ApprovalRecord>> {
  if (steps.length === 0) return new Map();
  const rows = await approvalsOf(trx, runId)
    .distinctOn('step')
    .where('step', 'in', [...steps])
    .orderBy('step')
    .orderBy('attempt', 'desc')
    .execute();
  return new Map(rows.map((row) => [row.step, toApproval(row)]));
}

function approvalsOf(trx: DbTransaction, runId: string) {
  return trx
    .selectFrom('workflow_approvals')
    .select([
      'step',
      'attempt',
      'approvers',
      'message',
      'fields',
      'asked_at',
      'expires_at',
      'decided_at',
      'withdrawn_at',
    ])
    .where('workflow_run_id', '=', runId);
}

function toApproval(row: {
  step: string;
  attempt: number;
  approvers: string[];
  message: string;
  fields: unknown;
  asked_at: Date;
  expires_at: Date;
  decided_at: Date | null;
  withdrawn_at: Date | null;
}): ApprovalRecord {
  const { asked_at, expires_at, decided_at, withdrawn_at, ...rest } = row;
  return {
    ...rest,
    askedAt: asked_at,
    expiresAt: expires_at,
    decidedAt: decided_at,
    withdrawnAt: withdrawn_at,
  };
}
