/** Asking a worker to stop. The row is what holds; the notification only spares it the wait for its next heartbeat. */
import { notifyWorkers } from '../control/channel.ts';
import type { Queryable } from '../sql/pool.ts';
import { WORKER_LIVE_SECONDS } from './repository.ts';

export type DrainOutcome =
  | { readonly type: 'requested'; readonly requestedAt: Date }
  /** Asked before; it is still on its way out. */
  | { readonly type: 'draining'; readonly requestedAt: Date | null }
  | { readonly type: 'stopped' }
  /** Not heard of for so long that nobody may be there to be asked. */
  | { readonly type: 'silent'; readonly lastSeenAt: Date }
  | { readonly type: 'not_found' };

interface WorkerRow {
  status: 'active' | 'draining' | 'stopped';
  drain_requested_at: Date | null;
  last_seen_at: Date;
}

/** Asks a live worker to claim nothing more, to finish or hand back what it runs, and to end its process. */
export async function requestDrain(db: Queryable, workerId: string): Promise<DrainOutcome> {
  const { rows } = await db.query<{ drain_requested_at: Date }>({
    text: `UPDATE workers SET drain_requested_at = now()
WHERE id = $1::uuid AND status = 'active' AND drain_requested_at IS NULL
  AND last_seen_at > now() - interval '${WORKER_LIVE_SECONDS} seconds'
RETURNING drain_requested_at`,
    values: [workerId],
  });
  const requested = rows[0];
  if (requested === undefined) return whyNot(db, workerId);
  await notifyWorkers(db, [{ type: 'drain', workerId }]).catch(() => undefined);
  return { type: 'requested', requestedAt: requested.drain_requested_at };
}

async function whyNot(db: Queryable, workerId: string): Promise<DrainOutcome> {
  const { rows } = await db.query<WorkerRow>({
    text: 'SELECT status, drain_requested_at, last_seen_at FROM workers WHERE id = $1::uuid',
    values: [workerId],
  });
  const worker = rows[0];
  if (worker === undefined) return { type: 'not_found' };
  if (worker.status === 'stopped') return { type: 'stopped' };
  if (worker.status === 'draining' || worker.drain_requested_at !== null) {
    return { type: 'draining', requestedAt: worker.drain_requested_at };
  }
  return { type: 'silent', lastSeenAt: worker.last_seen_at };
}
