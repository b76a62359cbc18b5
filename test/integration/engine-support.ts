/** A migrated database under the engine's statements, with the tools to put rows into any state and to look at them. */
import { claimRuns, createDb, createPool, insertRuns, overdueRuns, settleRuns } from '@spine/database';
import type {
  ClaimedRun,
  ClaimOptions,
  Db,
  NewRun,
  Pool,
  Queryable,
  RunRow,
  Settlement,
  SettleOutcome,
} from '@spine/database';
import { newId } from '@spine/core';
import { newRun, taskSpec } from '@spine/execution';
import type { WorkSpec } from '@spine/execution';
import { createTestDatabase, waitFor } from '@spine/testing';

/** Every column of `runs`. */
export interface RawRun extends RunRow {
  readonly dispatch_after: Date | null;
  readonly dispatch_no: number;
}

export interface RawEvent {
  readonly event_type: string;
  readonly epoch: number;
  readonly terminal: boolean;
  readonly source: string;
  readonly data: unknown;
}

export const HANDLERS = ['task:echo', 'task:sleep'] as const;
export const LEASE_MS = 30_000;

export interface EngineDatabase {
  readonly connectionString: string;
  /** As the services connect for the hot path: application role, every statement planned once. */
  readonly pool: Pool;
  /** As the owner of the tables, whom only triggers and constraints stop. */
  readonly admin: Pool;
  readonly db: Db;
  /** Removes every run, event, dead letter and worker. */
  clear(): Promise<void>;
  close(): Promise<void>;
}

export async function openEngineDatabase(): Promise<EngineDatabase> {
  const database = await createTestDatabase();
  const { connectionString } = database;
  const pool = createPool({ connectionString, genericPlans: true });
  const admin = createPool({ connectionString, role: null });
  const db = createDb(createPool({ connectionString }));
  return {
    connectionString,
    pool,
    admin,
    db,
    clear: async () => {
      await admin.query(
        'TRUNCATE runs, run_events, dead_letters, workers, gate_states, concurrency_holds, gate_waiters, breakers',
      );
    },
    close: async () => {
      await Promise.all([pool.end(), admin.end(), db.destroy()]);
      await database.drop();
    },
  };
}

export function runOf(spec: Partial<WorkSpec> = {}, more: Partial<NewRun> = {}): NewRun {
  return { ...newRun({ ...taskSpec('echo'), ...spec }), ...more };
}

/** Stores runs that no hint was sent for, and answers with their ids. */
export async function store(db: Queryable, runs: readonly NewRun[]): Promise<string[]> {
  await insertRuns(db, runs, { ambiguous: false, hinted: false });
  return runs.map(({ runId }) => runId);
}

export function storeMany(db: Queryable, count: number, spec: Partial<WorkSpec> = {}): Promise<string[]> {
  return store(
    db,
    Array.from({ length: count }, () => runOf(spec)),
  );
}

export function claim(
  db: Queryable,
  runIds: readonly string[],
  workerId: string = newId(),
): Promise<ClaimedRun[]> {
  return claimRuns(db, runIds, { workerId, leaseMs: LEASE_MS, handlers: HANDLERS });
}

/** Claims what the poll of a worker finds. */
export async function poll(
  db: Queryable,
  lanes: readonly string[],
  limit: number,
  options: ClaimOptions,
): Promise<ClaimedRun[]> {
  return claimRuns(db, await overdueRuns(db, lanes, options.handlers, limit), options);
}

/** A run that a worker has just claimed, at epoch 1. */
export async function claimed(
  db: Queryable,
  spec: Partial<WorkSpec> = {},
  workerId: string = newId(),
): Promise<ClaimedRun> {
  const runIds = await store(db, [runOf(spec)]);
  const [run] = await claim(db, runIds, workerId);
  if (run === undefined) throw new Error('the run was not claimed');
  return run;
}

export async function settle(
  db: Queryable,
  run: Pick<ClaimedRun, 'runId' | 'epoch'>,
  settlement: Settlement = { type: 'completed', result: null },
): Promise<SettleOutcome | undefined> {
  const [outcome] = await settleRuns(db, [{ runId: run.runId, epoch: run.epoch, settlement }], {
    source: 'test',
  });
  return outcome;
}

export const ERROR = { message: 'it broke', type: 'Error', category: 'UNKNOWN', retryable: true } as const;

export async function rowOf(db: Pool, runId: string): Promise<RawRun> {
  const { rows } = await db.query<RawRun>({ text: 'SELECT * FROM runs WHERE id = $1', values: [runId] });
  const row = rows[0];
  if (row === undefined) throw new Error(`no run ${runId}`);
  return row;
}

export async function eventsOf(db: Pool, runId: string): Promise<RawEvent[]> {
  const { rows } = await db.query<RawEvent>({
    text: 'SELECT event_type, epoch, terminal, source, data FROM run_events WHERE run_id = $1 ORDER BY event_id',
    values: [runId],
  });
  return rows;
}

export async function eventTypes(db: Pool, runId: string): Promise<string[]> {
  return (await eventsOf(db, runId)).map(({ event_type }) => event_type);
}

/** Moves a running run's lease end or deadline, or a waiting run's times, by an SQL interval. */
export async function shift(
  admin: Pick<Pool, 'query'>,
  runIds: readonly string[],
  column: 'lease_expires_at' | 'deadline_at' | 'dispatch_after' | 'available_at',
  interval: string,
): Promise<void> {
  await admin.query(`UPDATE runs SET ${column} = now() + $2::interval WHERE id = ANY($1::uuid[])`, [
    runIds,
    interval,
  ]);
}

/** A transaction that stays open until the test ends it. */
export async function openTransaction(pool: Pool) {
  const client = await pool.connect();
  await client.query('BEGIN');
  return {
    client,
    end: async (how: 'COMMIT' | 'ROLLBACK'): Promise<void> => {
      await client.query(how);
      client.release();
    },
  };
}

/** Resolves once a statement in this database waits for a row another transaction holds. */
export async function somebodyWaitsForALock(admin: Pool): Promise<void> {
  await waitFor(async () => {
    const { rows } = await admin.query(
      `SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`,
    );
    return rows.length > 0;
  });
}

/**
 * What must hold of every run at any time: a terminal state has exactly one terminal event, of its own name; a dead
 * letter exists exactly for a dead-lettered run; no epoch has started twice. Answers with the runs that break it.
 */
export async function inconsistentRuns(db: Pool): Promise<unknown[]> {
  const { rows } = await db.query<{ id: string }>(`
    SELECT r.id, r.status, t.terminal, d.letters, s.twice FROM runs r
    CROSS JOIN LATERAL (SELECT array_agg(event_type) FILTER (WHERE terminal) AS terminal FROM run_events WHERE run_id = r.id) t
    CROSS JOIN LATERAL (SELECT count(*)::int AS letters FROM dead_letters WHERE run_id = r.id) d
    CROSS JOIN LATERAL (SELECT count(*) > count(DISTINCT epoch) AS twice FROM run_events
      WHERE run_id = r.id AND event_type = 'started') s
    WHERE (r.completed_at IS NOT NULL) <> (t.terminal IS NOT DISTINCT FROM ARRAY[r.status])
      OR (r.completed_at IS NULL AND t.terminal IS NOT NULL)
      OR d.letters <> (r.status = 'dead_lettered')::int OR s.twice`);
  return rows;
}
