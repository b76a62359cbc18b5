/**
 * The heartbeat of a worker: one statement extends the leases of all its runs and its own row.
 *
 * 1. A lease is extended only at the holder's epoch. A run missing from the answer was taken away: abort its handler.
 * 2. Rows that another statement holds are skipped, not waited for: a heartbeat that waits behind one settling run
 *    would let every other lease of the worker lapse. A skipped run is still in the answer, and the next beat comes
 *    long before its lease ends.
 */
import { plainArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';

export interface LeaseHeld {
  readonly runId: string;
  readonly epoch: number;
}

export interface HeartbeatInput {
  readonly workerId: string;
  readonly leaseMs: number;
  readonly status: 'active' | 'draining';
  readonly held: readonly LeaseHeld[];
}

const HEARTBEAT_SQL = `WITH h AS (
  SELECT * FROM unnest($1::uuid[], $2::bigint[]) AS t(id, epoch)
), l AS (
  SELECT r.id FROM runs r JOIN h ON r.id = h.id AND r.epoch = h.epoch
  WHERE r.status || '' = 'running' ORDER BY r.id FOR UPDATE OF r SKIP LOCKED
), u AS (
  UPDATE runs r SET lease_expires_at = now() + $3::bigint * interval '1 millisecond'
  FROM l WHERE r.id = l.id AND r.status || '' = 'running'
), w AS (
  UPDATE workers SET last_seen_at = now(), running = cardinality($1::uuid[]), status = $5 WHERE id = $4::uuid
  RETURNING drain_requested_at
)
SELECT r.id FROM runs r JOIN h ON r.id = h.id AND r.epoch = h.epoch WHERE r.status || '' = 'running'
UNION ALL
SELECT NULL FROM w WHERE drain_requested_at IS NOT NULL`;

export interface HeartbeatAnswer {
  /** Ids of the runs that are still held. */
  readonly held: ReadonlySet<string>;
  /** Somebody asked this worker to stop. */
  readonly drain: boolean;
}

/** Extends the leases and the worker's own row. */
export async function heartbeat(db: Queryable, input: HeartbeatInput): Promise<HeartbeatAnswer> {
  const { rows } = await db.query<{ id: string | null }>({
    name: 'spine_heartbeat',
    text: HEARTBEAT_SQL,
    values: [
      plainArray(input.held.map((lease) => lease.runId)),
      plainArray(input.held.map((lease) => lease.epoch)),
      input.leaseMs,
      input.workerId,
      input.status,
    ],
  });
  const held = new Set(rows.flatMap(({ id }) => id ?? []));
  return { held, drain: held.size < rows.length };
}
