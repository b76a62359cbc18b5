/** The workers table: who serves which lanes with which handlers, by the database's clock. */
import { textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';

export interface WorkerRegistration {
  readonly workerId: string;
  readonly hostname: string;
  readonly pid: number;
  readonly version: string;
  readonly lanes: readonly string[];
  /** Handler keys, `kind:name`. */
  readonly handlers: readonly string[];
  /** Room for runs. */
  readonly slots: number;
}

/** A worker that has not been heard of for this long does not count as live. */
export const WORKER_LIVE_SECONDS = 30;

/** A condition: true of a worker that counts as live. */
export const LIVE_WORKER = `status = 'active' AND last_seen_at > now() - interval '${WORKER_LIVE_SECONDS} seconds'`;

export async function registerWorker(db: Queryable, worker: WorkerRegistration): Promise<void> {
  await db.query({
    text: `INSERT INTO workers (id, hostname, pid, version, lanes, handlers, slots)
VALUES ($1::uuid, $2, $3, $4, $5::text[], $6::text[], $7)
ON CONFLICT (id) DO UPDATE SET last_seen_at = now(), status = 'active'`,
    values: [
      worker.workerId,
      worker.hostname,
      worker.pid,
      worker.version,
      textArray(worker.lanes),
      textArray(worker.handlers),
      worker.slots,
    ],
  });
}

export async function markWorkerStopped(db: Queryable, workerId: string): Promise<void> {
  await db.query({
    text: `UPDATE workers SET status = 'stopped', running = 0, last_seen_at = now() WHERE id = $1::uuid`,
    values: [workerId],
  });
}

/** Removes the rows of workers not heard of for `olderThanHours`. */
export async function deleteStaleWorkers(db: Queryable, olderThanHours = 24): Promise<number> {
  const { rows } = await db.query<{ id: string }>({
    text: `DELETE FROM workers WHERE last_seen_at < now() - $1::int * interval '1 hour' RETURNING id`,
    values: [olderThanHours],
  });
  return rows.length;
}

export interface LiveCapacity {
  /** Per lane: live workers and the slots of the smallest one. */
  readonly lanes: ReadonlyMap<string, { readonly workers: number; readonly slots: number }>;
  /** Handler keys some live worker knows. */
  readonly handlers: ReadonlySet<string>;
}

/** What the live workers can do together; one small query, worth caching for seconds. */
export async function liveCapacity(db: Queryable): Promise<LiveCapacity> {
  const { rows } = await db.query<{ lanes: string[]; handlers: string[]; slots: number }>({
    name: 'spine_live_capacity',
    text: `SELECT lanes, handlers, slots FROM workers WHERE ${LIVE_WORKER}`,
    values: [],
  });
  const lanes = new Map<string, { workers: number; slots: number }>();
  const handlers = new Set<string>();
  for (const row of rows) {
    for (const handler of row.handlers) handlers.add(handler);
    for (const lane of row.lanes) {
      const known = lanes.get(lane);
      lanes.set(lane, {
        workers: (known?.workers ?? 0) + 1,
        slots: Math.min(known?.slots ?? Infinity, row.slots),
      });
    }
  }
  return { lanes, handlers };
}
