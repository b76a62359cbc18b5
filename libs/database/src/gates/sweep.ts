/**
 * Removing what counts for nothing any more: places of attempts that are over, waiters whose run has ended, keys nobody
 * has asked for in an hour. Each call looks at one stretch of a table by primary key and says where the next continues.
 *
 * Looking and removing are two statements, because what is removed can never count again: an attempt that is over stays
 * over, a run that has ended stays ended, and whether a key is idle is asked once more.
 */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { HOLD_COUNTS } from './facts.ts';
import type { GateKey, GateType } from './gate.ts';

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

export async function sweepHolds(
  db: Queryable,
  after: HoldCursor | null,
  limit: number,
): Promise<Swept<HoldCursor>> {
  const { rows } = await db.query<{ key: string; run_id: string; epoch: number; counts: boolean }>({
    name: 'spine_look_at_holds',
    text: `SELECT h.key, h.run_id, h.epoch, ${HOLD_COUNTS} AS counts FROM concurrency_holds h
WHERE (h.key, h.run_id) > ($1, $2::uuid) ORDER BY h.key, h.run_id LIMIT $3`,
    values: [after?.key ?? '', after?.runId ?? NIL, limit],
  });
  const stale = rows.filter(({ counts }) => !counts);
  if (stale.length > 0) {
    await db.query({
      name: 'spine_remove_holds',
      text: `DELETE FROM concurrency_holds h USING unnest($1::text[], $2::uuid[], $3::bigint[]) AS i(key, run_id, epoch)
WHERE h.key = i.key AND h.run_id = i.run_id AND h.epoch = i.epoch`,
      values: [
        textArray(stale.map(({ key }) => key)),
        plainArray(stale.map(({ run_id }) => run_id)),
        plainArray(stale.map(({ epoch }) => epoch)),
      ],
    });
  }
  const last = rows.length < limit ? undefined : rows.at(-1);
  return { removed: stale.length, next: last === undefined ? null : { key: last.key, runId: last.run_id } };
}

export async function sweepWaiters(
  db: Queryable,
  after: string | null,
  limit: number,
): Promise<Swept<string>> {
  const { rows } = await db.query<{ run_id: string; waits: boolean }>({
    name: 'spine_look_at_waiters',
    text: `SELECT w.run_id, COALESCE((SELECT r.completed_at IS NULL FROM runs r WHERE r.id = w.run_id), false) AS waits
FROM gate_waiters w WHERE w.run_id > $1::uuid ORDER BY w.run_id LIMIT $2`,
    values: [after ?? NIL, limit],
  });
  const over = rows.filter(({ waits }) => !waits);
  if (over.length > 0) {
    await db.query({
      name: 'spine_remove_waiters',
      text: 'DELETE FROM gate_waiters w WHERE w.run_id = ANY ($1::uuid[])',
      values: [plainArray(over.map(({ run_id }) => run_id))],
    });
  }
  return { removed: over.length, next: rows.length < limit ? null : (rows.at(-1)?.run_id ?? null) };
}

const IDLE = `GREATEST(s.updated_at, s.keep_until) < now() - interval '1 hour'`;

/** Holds and lines live without the row: it is a lock, the last limit, and a rate that is full again by then. */
export async function sweepGateStates(
  db: Queryable,
  after: GateKey | null,
  limit: number,
): Promise<Swept<GateKey>> {
  const { rows } = await db.query<{ gate_type: GateType; key: string; idle: boolean }>({
    name: 'spine_look_at_gate_states',
    text: `SELECT s.gate_type, s.key, ${IDLE} AS idle FROM gate_states s
WHERE (s.gate_type, s.key) > ($1, $2) ORDER BY s.gate_type, s.key LIMIT $3`,
    values: [after?.type ?? '', after?.key ?? '', limit],
  });
  const idle = rows.filter((row) => row.idle);
  let removed = 0;
  if (idle.length > 0) {
    const deleted = await db.query({
      name: 'spine_remove_gate_states',
      text: `DELETE FROM gate_states s USING unnest($1::text[], $2::text[]) AS i(gate_type, key)
WHERE s.gate_type = i.gate_type AND s.key = i.key AND ${IDLE}`,
      values: [textArray(idle.map(({ gate_type }) => gate_type)), textArray(idle.map(({ key }) => key))],
    });
    removed = deleted.rowCount ?? 0;
  }
  const last = rows.length < limit ? undefined : rows.at(-1);
  return { removed, next: last === undefined ? null : { type: last.gate_type, key: last.key } };
}

/** Runs in lines by the gate they wait for, each counted up to 10,000. */
export async function waitingByGate(db: Queryable): Promise<ReadonlyMap<GateType, number>> {
  const { rows } = await db.query<{ gate_type: GateType; waiting: number }>({
    name: 'spine_waiting_by_gate',
    text: `SELECT t.gate_type, (SELECT count(*) FROM (
  SELECT 1 FROM gate_waiters w WHERE w.gate_type = t.gate_type ORDER BY w.key LIMIT 10000) c)::int AS waiting
FROM unnest(ARRAY['concurrency', 'rate', 'breaker', 'singleton']) AS t(gate_type)`,
    values: [],
  });
  return new Map(rows.map(({ gate_type, waiting }) => [gate_type, waiting]));
}
