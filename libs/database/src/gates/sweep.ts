/**
 * Removing what counts for nothing any more: places of attempts that are over, waiters whose run has ended, keys nobody
 * has asked for in an hour. Each call looks at one stretch of a table by primary key and says where the next continues.
 *
 * What is removed can never count again: an attempt that is over stays over, a run that has ended stays ended, and a key
 * that is asked for again gets a new row.
 */
import type { Queryable } from '../sql/pool.ts';
import { HOLD_COUNTS } from './facts.ts';
import type { GateType } from './gate.ts';

export interface Swept<C> {
  readonly removed: number;
  /** Null at the end of the table. */
  readonly next: C | null;
}

export interface HoldCursor {
  readonly key: string;
  readonly runId: string;
}

const NIL = '00000000-0000-0000-0000-000000000000';

export const SWEEP_HOLDS_SQL = `WITH x AS (
  SELECT h.key, h.run_id, h.epoch FROM concurrency_holds h WHERE (h.key, h.run_id) > ($1, $2::uuid)
  ORDER BY h.key, h.run_id LIMIT $3
), d AS (
  DELETE FROM concurrency_holds h USING x
  WHERE h.key = x.key AND h.run_id = x.run_id AND h.epoch = x.epoch AND NOT ${HOLD_COUNTS}
  RETURNING 1
)
SELECT (SELECT count(*) FROM d)::int AS removed, count(*)::int AS seen,
  (array_agg(x.key ORDER BY x.key DESC, x.run_id DESC))[1] AS key,
  (array_agg(x.run_id ORDER BY x.key DESC, x.run_id DESC))[1] AS run_id FROM x`;

export async function sweepHolds(
  db: Queryable,
  after: HoldCursor | null,
  limit: number,
): Promise<Swept<HoldCursor>> {
  const { rows } = await db.query<{ removed: number; seen: number; key: string | null; run_id: string | null }>({
    name: 'spine_sweep_holds',
    text: SWEEP_HOLDS_SQL,
    values: [after?.key ?? '', after?.runId ?? NIL, limit],
  });
  const row = rows[0];
  if (row === undefined) return { removed: 0, next: null };
  const { removed, seen, key, run_id: runId } = row;
  return { removed, next: seen < limit || key === null || runId === null ? null : { key, runId } };
}

export const SWEEP_WAITERS_SQL = `WITH x AS (
  SELECT w.run_id FROM gate_waiters w WHERE w.run_id > $1::uuid ORDER BY w.run_id LIMIT $2
), d AS (
  DELETE FROM gate_waiters w USING x WHERE w.run_id = x.run_id AND NOT COALESCE(
    (SELECT r.completed_at IS NULL FROM runs r WHERE r.id = x.run_id), false)
  RETURNING 1
)
SELECT (SELECT count(*) FROM d)::int AS removed, count(*)::int AS seen,
  (array_agg(x.run_id ORDER BY x.run_id DESC))[1] AS run_id FROM x`;

export async function sweepWaiters(db: Queryable, after: string | null, limit: number): Promise<Swept<string>> {
  const { rows } = await db.query<{ removed: number; seen: number; run_id: string | null }>({
    name: 'spine_sweep_waiters',
    text: SWEEP_WAITERS_SQL,
    values: [after ?? NIL, limit],
  });
  const row = rows[0];
  if (row === undefined) return { removed: 0, next: null };
  return { removed: row.removed, next: row.seen < limit ? null : row.run_id };
}

export interface StateCursor {
  readonly type: GateType;
  readonly key: string;
}

const IDLE_FOR = "interval '1 hour'";

export const SWEEP_STATES_SQL = `WITH x AS (
  SELECT s.gate_type, s.key FROM gate_states s WHERE (s.gate_type, s.key) > ($1, $2)
  ORDER BY s.gate_type, s.key LIMIT $3
), d AS (
  DELETE FROM gate_states s USING x
  WHERE s.gate_type = x.gate_type AND s.key = x.key
    AND GREATEST(s.updated_at, s.keep_until) < now() - ${IDLE_FOR}
  RETURNING 1
)
SELECT (SELECT count(*) FROM d)::int AS removed, count(*)::int AS seen,
  (array_agg(x.gate_type ORDER BY x.gate_type DESC, x.key DESC))[1] AS gate_type,
  (array_agg(x.key ORDER BY x.gate_type DESC, x.key DESC))[1] AS key FROM x`;

/** Holds and lines live without the row: it is a lock, the last limit, and a rate that is full again by then. */
export async function sweepGateStates(
  db: Queryable,
  after: StateCursor | null,
  limit: number,
): Promise<Swept<StateCursor>> {
  const { rows } = await db.query<{
    removed: number;
    seen: number;
    gate_type: GateType | null;
    key: string | null;
  }>({
    name: 'spine_sweep_gate_states',
    text: SWEEP_STATES_SQL,
    values: [after?.type ?? '', after?.key ?? '', limit],
  });
  const row = rows[0];
  if (row === undefined) return { removed: 0, next: null };
  const { removed, seen, gate_type: type, key } = row;
  return { removed, next: seen < limit || type === null || key === null ? null : { type, key } };
}

/** Runs in lines by the gate they wait for, each counted up to 10,000. */
export async function waitingByGate(db: Queryable): Promise<ReadonlyMap<GateType, number>> {
  const { rows } = await db.query<{ gate_type: GateType; waiting: number }>({
    name: 'spine_waiting_by_gate',
    text: `SELECT t.gate_type, (SELECT count(*) FROM (
  SELECT 1 FROM gate_waiters w WHERE w.gate_type = t.gate_type LIMIT 10000) c)::int AS waiting
FROM unnest(ARRAY['concurrency', 'rate', 'breaker', 'singleton']) AS t(gate_type)`,
    values: [],
  });
  return new Map(rows.map(({ gate_type, waiting }) => [gate_type, waiting]));
}
