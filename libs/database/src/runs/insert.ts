/**
 * Submitting runs: the row and its `submitted` event in one statement, for any number of runs.
 *
 * 1. A run whose id exists already is not inserted again; after an ambiguous commit that is how the first one shows.
 * 2. An idempotency key is unique. A second run with the key of an existing one is not inserted; the existing run
 *    is returned, and the caller compares the spec hashes.
 * 3. A fenced insert (a child submitted by a running attempt) happens only while its parent's epoch is current.
 * 4. `hinted = false` makes a run due for dispatch at once: the submitter knows that the queue is down.
 * 5. A run without a namespace of its own that has a parent, or does an older run again, is of that run's namespace. An
 *    idempotency key is unique within a namespace.
 */
import type { QueryConfig } from 'pg';
import { InvariantError, priorityRank } from '@spine/core';
import type { Priority, RunKind, RunStatus } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { findExisting } from './insert-existing.ts';
import type { RunRecord } from './record.ts';

export interface NewRun {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly priority: Priority;
  /** JSON text. */
  readonly params: string;
  /** JSON text of an object. */
  readonly metadata: string;
  readonly tags: readonly string[];
  readonly idempotencyKey: string | null;
  /** SHA-256 of the canonical spec; required with a key, null without. */
  readonly specHash: string | null;
  readonly correlationId: string | null;
  readonly parentRunId: string | null;
  /** Insert only while the parent runs at this epoch; null for no fence. */
  readonly parentEpoch: number | null;
  readonly retryOfRunId: string | null;
  readonly triggerSource: string;
  readonly maxAttempts: number;
  readonly retryDelayMs: number;
  readonly timeoutMs: number;
  readonly deadLetter: boolean;
  /** Not before this instant; null for now. */
  readonly runAfter: Date | null;
  /** Not started by then, it never is; null for no limit. */
  readonly expiresAt: Date | null;
  /** Over this long after it became available, whatever its attempts allow; null for no limit. */
  readonly deadlineMs: number | null;
  readonly singletonKey: string | null;
  /** JSON text of a retry policy, or null. */
  readonly retryPolicy: string | null;
  /** JSON text of what has to be free before it starts, or null. */
  readonly gates: string | null;
  /** Where the params are when `params` is `{}` in their place, or null. */
  readonly paramsRef: string | null;
  /** Of the caller's key; null: of its parent or of the run it does again, where it has one. */
  readonly namespace: string | null;
  /** The principal that submits it, kept with the run and its first event; null for none. */
  readonly submittedBy: string | null;
  /** W3C traceparent of what submits it; null where that is not traced. */
  readonly traceContext: string | null;
}

export type InsertOutcome =
  | {
      readonly type: 'inserted';
      readonly runId: string;
      readonly status: RunStatus;
      readonly createdAt: Date;
    }
  /** The key (or, after an ambiguous commit, the id) was there already. */
  | { readonly type: 'existing'; readonly run: RunRecord }
  /** The parent is not running at the given epoch any more. */
  | { readonly type: 'fenced' };

export interface InsertInfo {
  /** An earlier send of the same runs may have committed. */
  readonly ambiguous: boolean;
  /** Whether a hint follows; false makes the relay and the workers' poll look at once. */
  readonly hinted: boolean;
}

/** How long a hint may take before the relay sends another. */
export const HINT_GRACE = "interval '15 seconds'";

/** Runs due later than this get no hint at submit: it would only occupy the queue's memory. The relay sends it in time. */
export const HINT_HORIZON_MS = 3_600_000;

const HINT_HORIZON = `interval '${HINT_HORIZON_MS} milliseconds'`;

interface Variant {
  readonly conflicts: boolean;
  readonly fenced: boolean;
  /** Whether some run uses an option of {@link RARE}. */
  readonly extended: boolean;
  /** Whether some run has a namespace or a principal of its own. */
  readonly owned: boolean;
  /** Whether some run comes from another one, whose namespace it takes on. */
  readonly derived: boolean;
  /** Whether some run is traced. */
  readonly traced: boolean;
}

const INPUT = [
  ['id', 'uuid'],
  ['kind', 'text'],
  ['name', 'text'],
  ['lane', 'text'],
  ['priority', 'smallint'],
  ['params', 'text'],
  ['metadata', 'text'],
  ['tags', 'text'],
  ['idempotency_key', 'text'],
  ['spec_hash', 'text'],
  ['correlation_id', 'text'],
  ['parent_run_id', 'uuid'],
  ['parent_epoch', 'bigint'],
  ['retry_of_run_id', 'uuid'],
  ['trigger_source', 'text'],
  ['max_attempts', 'integer'],
  ['retry_delay_ms', 'bigint'],
  ['timeout_ms', 'bigint'],
  ['dead_letter', 'boolean'],
  ['run_after', 'timestamptz'],
] as const;

/** Few runs have these: an array of nulls each would be paid by all the others. */
const RARE = [
  ['expires_at', 'timestamptz'],
  ['deadline_ms', 'bigint'],
  ['singleton_key', 'text'],
  ['retry_policy', 'text'],
  ['gates', 'text'],
  ['params_ref', 'text'],
] as const;

/** Absent in local mode. */
const OWNER = [
  ['namespace', 'text'],
  ['submitted_by', 'text'],
] as const;

/** Absent where nothing is traced. */
const TRACE = [['trace_context', 'text']] as const;

const ORIGINS_NAMESPACE =
  '(SELECT o.namespace FROM runs o WHERE o.id = COALESCE(i.parent_run_id, i.retry_of_run_id))';

/** The columns that say whose a run is, each with where its value comes from. */
function ownerColumns({ owned, derived }: Variant): readonly (readonly [string, string])[] {
  const own = owned ? [['submitted_by', 'i.submitted_by'] as const] : [];
  if (derived && owned) return [['namespace', `COALESCE(i.namespace, ${ORIGINS_NAMESPACE})`], ...own];
  if (derived) return [['namespace', ORIGINS_NAMESPACE]];
  return owned ? [['namespace', 'i.namespace'], ...own] : [];
}

function insertSql(variant: Variant): string {
  const { conflicts, fenced, extended, owned, traced } = variant;
  const input = [...INPUT, ...(extended ? RARE : []), ...(owned ? OWNER : []), ...(traced ? TRACE : [])];
  const owner = ownerColumns(variant);
  return `WITH i AS (
  SELECT * FROM unnest(${input.map(([, type], index) => `$${index + 2}::${type}[]`).join(', ')})
    AS t(${input.map(([name]) => name).join(', ')})
), r AS (
  INSERT INTO runs (id, kind, name, lane, priority, status, params, metadata, tags, idempotency_key, spec_hash,
    correlation_id, parent_run_id, retry_of_run_id, trigger_source, max_attempts, retry_delay_ms, timeout_ms,
    dead_letter, available_at, dispatch_after${
      extended ? ', expires_at, run_deadline_at, singleton_key, retry_policy, gates, params_ref' : ''
    }${owner.map(([column]) => `, ${column}`).join('')}${traced ? ', trace_context' : ''})
  SELECT i.id, i.kind, i.name, i.lane, i.priority, CASE WHEN i.run_after > now() THEN 'pending' ELSE 'queued' END,
    i.params::jsonb, i.metadata::jsonb, i.tags::text[], i.idempotency_key, i.spec_hash,
    i.correlation_id, i.parent_run_id, i.retry_of_run_id, i.trigger_source, i.max_attempts, i.retry_delay_ms,
    i.timeout_ms, i.dead_letter, COALESCE(i.run_after, now()),
    GREATEST(i.run_after, now()) + CASE
      WHEN $1::boolean AND COALESCE(i.run_after <= now() + ${HINT_HORIZON}, true) THEN ${HINT_GRACE}
      ELSE interval '0' END${
        extended
          ? `,
    i.expires_at, GREATEST(i.run_after, now()) + i.deadline_ms * interval '1 millisecond', i.singleton_key,
    i.retry_policy::jsonb, i.gates::jsonb, i.params_ref`
          : ''
      }${owner.map(([, value]) => `, ${value}`).join('')}${traced ? ', i.trace_context' : ''}
  FROM i${
    fenced
      ? `
  WHERE i.parent_epoch IS NULL OR EXISTS (SELECT 1 FROM runs p
    WHERE p.id = i.parent_run_id AND p.epoch = i.parent_epoch AND p.status || '' = 'running' FOR SHARE)`
      : ''
  }
  ${conflicts ? 'ON CONFLICT DO NOTHING' : ''}
  RETURNING id, status, created_at, trigger_source${owned ? ', submitted_by' : ''}
), e AS (
  ${
    owned
      ? `INSERT INTO run_events (run_id, epoch, event_type, source, data) SELECT id, 0, 'submitted', trigger_source,
    CASE WHEN submitted_by IS NOT NULL THEN jsonb_build_object('submitted_by', submitted_by) END FROM r`
      : `INSERT INTO run_events (run_id, epoch, event_type, source) SELECT id, 0, 'submitted', trigger_source FROM r`
  }
)
${
  conflicts || fenced
    ? 'SELECT id, status, created_at FROM r'
    : `SELECT now() AS created_at, (SELECT array_agg(id) FROM r WHERE status = 'pending') AS pending`
}`;
}

const STATEMENTS = new Map<string, string>();

function statementFor(variant: Variant): { name: string; text: string } {
  const { conflicts, fenced, extended, owned, derived, traced } = variant;
  const parts = [
    conflicts && '_c',
    fenced && '_f',
    extended && '_x',
    owned && '_o',
    derived && '_d',
    traced && '_t',
  ];
  const name = `spine_insert_runs${parts.filter((part) => part !== false).join('')}`;
  const text = STATEMENTS.get(name) ?? insertSql(variant);
  STATEMENTS.set(name, text);
  return { name, text };
}

function isExtended(run: NewRun): boolean {
  return (
    run.expiresAt !== null ||
    run.deadlineMs !== null ||
    run.singletonKey !== null ||
    run.retryPolicy !== null ||
    run.gates !== null ||
    run.paramsRef !== null
  );
}

function rareParameters(runs: readonly NewRun[]): unknown[] {
  return [
    plainArray(runs.map((run) => run.expiresAt?.toISOString() ?? null)),
    plainArray(runs.map((run) => run.deadlineMs)),
    textArray(runs.map((run) => run.singletonKey)),
    textArray(runs.map((run) => run.retryPolicy)),
    textArray(runs.map((run) => run.gates)),
    textArray(runs.map((run) => run.paramsRef)),
  ];
}

function ownerParameters(runs: readonly NewRun[]): unknown[] {
  return [textArray(runs.map((run) => run.namespace)), textArray(runs.map((run) => run.submittedBy))];
}

function parameters(
  runs: readonly NewRun[],
  hinted: boolean,
  { extended, owned, traced }: Variant,
): unknown[] {
  return [
    hinted,
    plainArray(runs.map((run) => run.runId)),
    plainArray(runs.map((run) => run.kind)),
    textArray(runs.map((run) => run.name)),
    textArray(runs.map((run) => run.lane)),
    plainArray(runs.map((run) => priorityRank(run.priority))),
    textArray(runs.map((run) => run.params)),
    textArray(runs.map((run) => run.metadata)),
    textArray(runs.map((run) => (run.tags.length === 0 ? '{}' : textArray(run.tags)))),
    textArray(runs.map((run) => run.idempotencyKey)),
    plainArray(runs.map((run) => run.specHash)),
    textArray(runs.map((run) => run.correlationId)),
    plainArray(runs.map((run) => run.parentRunId)),
    plainArray(runs.map((run) => run.parentEpoch)),
    plainArray(runs.map((run) => run.retryOfRunId)),
    textArray(runs.map((run) => run.triggerSource)),
    plainArray(runs.map((run) => run.maxAttempts)),
    plainArray(runs.map((run) => run.retryDelayMs)),
    plainArray(runs.map((run) => run.timeoutMs)),
    plainArray(runs.map((run) => run.deadLetter)),
    plainArray(runs.map((run) => run.runAfter?.toISOString() ?? null)),
    ...(extended ? rareParameters(runs) : []),
    ...(owned ? ownerParameters(runs) : []),
    ...(traced ? [textArray(runs.map((run) => run.traceContext))] : []),
  ];
}

interface InsertedRow {
  id: string;
  status: RunStatus;
  created_at: Date;
}

/** How often a key that retention freed in between is tried again. */
const FREED_TRIES = 3;

/**
 * Inserts runs with their first event and answers per run, in order.
 *
 * @throws the driver's error when a value cannot be stored (SQLSTATE class 22 or 23); then nothing was written.
 */
export async function insertRuns(
  db: Queryable,
  runs: readonly NewRun[],
  info: InsertInfo,
  tried = 0,
): Promise<readonly InsertOutcome[]> {
  if (runs.length === 0) return [];
  const variant = {
    extended: runs.some(isExtended),
    // ON CONFLICT costs a tenth of the insert: only where a conflict is possible.
    conflicts: info.ambiguous || runs.some((run) => run.idempotencyKey !== null),
    fenced: runs.some((run) => run.parentEpoch !== null),
    owned: runs.some((run) => run.namespace !== null || run.submittedBy !== null),
    derived: runs.some((run) => run.parentRunId !== null || run.retryOfRunId !== null),
    traced: runs.some((run) => run.traceContext !== null),
  };
  const query = { ...statementFor(variant), values: parameters(runs, info.hinted, variant) };
  return variant.conflicts || variant.fenced
    ? insertWhatMay(db, runs, info, query, tried)
    : insertAll(db, runs, query);
}

/** Where nothing can stand in the way, all are inserted or none: one row answers for them. */
async function insertAll(
  db: Queryable,
  runs: readonly NewRun[],
  query: QueryConfig,
): Promise<readonly InsertOutcome[]> {
  const { rows } = await db.query<{ created_at: Date; pending: string[] | null }>(query);
  const answer = rows[0];
  if (answer === undefined) throw new InvariantError('an insert of runs was not answered');
  const pending = new Set(answer.pending);
  return runs.map(({ runId }) => ({
    type: 'inserted',
    runId,
    status: pending.has(runId) ? 'pending' : 'queued',
    createdAt: answer.created_at,
  }));
}

async function insertWhatMay(
  db: Queryable,
  runs: readonly NewRun[],
  info: InsertInfo,
  query: QueryConfig,
  tried: number,
): Promise<readonly InsertOutcome[]> {
  const { rows } = await db.query<InsertedRow>(query);
  const inserted = new Map(rows.map((row) => [row.id, row]));
  const missing = runs.filter((run) => !inserted.has(run.runId));
  const existing = missing.length === 0 ? new Map<string, RunRecord>() : await findExisting(db, missing);
  const outcomes = runs.map((run): InsertOutcome => {
    const row = inserted.get(run.runId);
    if (row !== undefined) {
      return { type: 'inserted', runId: row.id, status: row.status, createdAt: row.created_at };
    }
    const found = existing.get(run.runId);
    return found === undefined ? { type: 'fenced' } : { type: 'existing', run: found };
  });
  // Without a fence it was a key, whose run was deleted between the two statements: nothing stands in the way any more.
  const freed = runs.filter((run, index) => run.parentEpoch === null && outcomes[index]?.type === 'fenced');
  if (freed.length === 0) return outcomes;
  if (tried === FREED_TRIES) {
    throw new InvariantError(`run ${freed[0]?.runId ?? ''} was refused by something other than its key`);
  }
  const again = await insertRuns(db, freed, info, tried + 1);
  const second = new Map(freed.map((run, index) => [run.runId, again[index]]));
  return outcomes.map((outcome, index) => second.get(runs[index]?.runId ?? '') ?? outcome);
}
