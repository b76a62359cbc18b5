import { sql } from 'kysely';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';
import { LIVE_WORKER, WORKER_LIVE_SECONDS } from './repository.ts';

/** A worker process, as its last heartbeat left it. Those silent for a day are forgotten. */
export interface WorkerRecord {
  readonly workerId: string;
  readonly hostname: string;
  readonly pid: number;
  readonly version: string;
  readonly lanes: readonly string[];
  /** Handler keys, `kind:name`. */
  readonly handlers: readonly string[];
  readonly slots: number;
  /** Runs it held at its last heartbeat. */
  readonly running: number;
  readonly status: 'active' | 'draining' | 'stopped';
  /** True while hints are cut for it: active, and heard of a moment ago. */
  readonly isLive: boolean;
  readonly startedAt: Date;
  readonly lastSeenAt: Date;
}

/** Workers listed, at the most. */
export const WORKER_LIMIT = 1_000;

/** The workers, those heard of last first, at most {@link WORKER_LIMIT}. */
export async function listWorkers(db: Db): Promise<WorkerRecord[]> {
  const rows = await db
    .selectFrom('workers')
    .selectAll()
    .select(sql<boolean>`${sql.raw(LIVE_WORKER)}`.as('is_live'))
    .orderBy('last_seen_at', 'desc')
    .orderBy('id')
    .limit(WORKER_LIMIT)
    .execute();
  return rows.map((row) => ({
    workerId: row.id,
    hostname: row.hostname,
    pid: row.pid,
    version: row.version,
    lanes: row.lanes,
    handlers: row.handlers,
    slots: row.slots,
    running: row.running,
    status: row.status,
    isLive: row.is_live,
    startedAt: row.started_at,
    lastSeenAt: row.last_seen_at,
  }));
}

/** A worker process that is there, whether it still claims or is on its way out. */
export interface WorkerProcess {
  readonly workerId: string;
  readonly hostname: string;
  readonly pid: number;
  readonly version: string;
  readonly status: 'active' | 'draining';
  readonly lanes: readonly string[];
  readonly startedAt: Date;
  readonly lastSeenAt: Date;
}

interface ProcessRow {
  id: string;
  hostname: string;
  pid: number;
  version: string;
  status: 'active' | 'draining';
  lanes: string[];
  started_at: Date;
  last_seen_at: Date;
}

/** Workers heard of a moment ago that have not stopped, those started first first, at most {@link WORKER_LIMIT}. */
export async function workerProcesses(db: Queryable): Promise<WorkerProcess[]> {
  const { rows } = await db.query<ProcessRow>({
    text: `SELECT id, hostname, pid, version, status, lanes, started_at, last_seen_at FROM workers
WHERE status <> 'stopped' AND last_seen_at > now() - interval '${WORKER_LIVE_SECONDS} seconds'
ORDER BY started_at, id LIMIT ${WORKER_LIMIT}`,
  });
  return rows.map(({ id, started_at, last_seen_at, ...row }) => ({
    ...row,
    workerId: id,
    startedAt: started_at,
    lastSeenAt: last_seen_at,
  }));
}
