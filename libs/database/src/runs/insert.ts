/**
 * Submitting runs: the row and its `submitted` event in one statement, for any number of runs.
 *
 * 1. A run whose id exists already is not inserted again; after an ambiguous commit that is how the first one shows.
 * 2. An idempotency key is unique. A second run with the key of an existing one is not inserted; the existing run
 *    is returned, and the caller compares the spec hashes.
 * 3. A fenced insert (a child submitted by a running attempt) happens only while its parent's epoch is current.
 * 4. `hinted = false` makes a run due for dispatch at once: the submitter knows that the queue is down.
 * 5. A run that a worker of this process has room for may be stored as claimed by it, as a claim right after the insert
 *    would leave it: epoch 1, lease, event. Not one of a lane that is paused, and none that a claim has to look at closely.
 * 6. A run without a namespace of its own that has a parent, or does an older run again, is of that run's namespace. An
 *    idempotency key is unique within a namespace.
 */
import type { QueryConfig } from 'pg';
import { InvariantError } from '@spine/core';
import type { Priority, RunKind, RunStatus } from '@spine/core';
import type { Queryable } from '../sql/pool.ts';
import { findExisting } from './insert-existing.ts';
import { insertQuery } from './insert-sql.ts';
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
  /** Runs to be stored as claimed. Those that cannot be are queued; the outcome says which. */
  readonly claim?: ClaimOnInsert | null;
}

/** A worker that takes runs as they are stored. */
export interface ClaimOnInsert {
  readonly workerId: string;
  readonly leaseMs: number;
  readonly runIds: ReadonlySet<string>;
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
  const { variant, query } = insertQuery(runs, info);
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
  const { rows } = await db.query<{ created_at: Date; pending: string[] | null; running?: string[] | null }>(
    query,
  );
  const answer = rows[0];
  if (answer === undefined) throw new InvariantError('an insert of runs was not answered');
  const [pending, running] = [new Set(answer.pending), new Set(answer.running)];
  const waits = (runId: string): RunStatus => (pending.has(runId) ? 'pending' : 'queued');
  return runs.map(({ runId }) => ({
    type: 'inserted',
    runId,
    status: running.has(runId) ? 'running' : waits(runId),
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
