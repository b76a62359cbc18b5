/** Keys and breakers as operators see them, in pages by primary key. */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { COUNTED_LINE, NAMED_HOLDERS } from './explain.ts';
import { HOLD_COUNTS } from './facts.ts';
import type { GateKey } from './gate.ts';

/** A key that gates name, as an operator sees it. */
export interface GateOverview {
  readonly type: 'concurrency' | 'rate' | 'singleton';
  readonly key: string;
  /** Of a concurrency key, as the last run that asked said. */
  readonly limit: number | null;
  /** JSON of a rate and what was taken of it. */
  readonly rate: unknown;
  /** Runs that hold it; the first 20. */
  readonly holders: readonly string[];
  readonly held: number;
  /** Runs in its line, counted up to 10,000. */
  readonly waiting: number;
  readonly updatedAt: Date;
  /** The database's time of the look. */
  readonly now: Date;
}

export interface GateOverviewFilter {
  readonly type?: GateOverview['type'];
  readonly after: GateKey | null;
  readonly limit: number;
}

const OVERVIEW_SQL = `SELECT s.gate_type, s.key, s.gate_limit, s.rate, s.updated_at, h.holders, h.held, w.waiting,
  clock_timestamp() AS now
FROM (
  SELECT * FROM gate_states s WHERE (s.gate_type, s.key) > ($1, $2) AND s.gate_type = ANY ($3::text[])
  ORDER BY s.gate_type, s.key LIMIT $4
) s
CROSS JOIN LATERAL (
  SELECT (array_agg(x.run_id ORDER BY x.claimed_at, x.run_id))[1:${NAMED_HOLDERS}] AS holders, count(*)::int AS held FROM (
    SELECT h.run_id, h.claimed_at FROM concurrency_holds h
    WHERE s.gate_type = 'concurrency' AND h.key = s.key AND ${HOLD_COUNTS}
    UNION ALL
    SELECT r.id, r.started_at FROM runs r WHERE s.gate_type = 'singleton' AND r.singleton_key = s.key
      AND r.started_at IS NOT NULL AND r.status IN ('pending', 'queued', 'paused', 'running')
  ) x
) h
CROSS JOIN LATERAL (
  SELECT count(*)::int AS waiting FROM (
    SELECT 1 FROM gate_waiters w WHERE w.gate_type = s.gate_type AND w.key = s.key
    ORDER BY w.priority, w.run_id LIMIT ${COUNTED_LINE}
  ) c
) w
ORDER BY s.gate_type, s.key`;

/** Keys in their order, after `after`. */
export async function listGates(
  db: Queryable,
  { type, after, limit }: GateOverviewFilter,
): Promise<GateOverview[]> {
  const { rows } = await db.query<{
    gate_type: GateOverview['type'];
    key: string;
    gate_limit: number | null;
    rate: unknown;
    updated_at: Date;
    holders: string[] | null;
    held: number;
    waiting: number;
    now: Date;
  }>({
    name: 'spine_list_gates',
    text: OVERVIEW_SQL,
    values: [
      after?.type ?? '',
      after?.key ?? '',
      plainArray(type === undefined ? ['concurrency', 'rate', 'singleton'] : [type]),
      limit,
    ],
  });
  return rows.map((row) => ({
    type: row.gate_type,
    key: row.key,
    limit: row.gate_limit,
    rate: row.rate,
    holders: row.holders ?? [],
    held: row.held,
    waiting: row.waiting,
    updatedAt: row.updated_at,
    now: row.now,
  }));
}

/** Runs in the line of each breaker, counted up to 10,000; by name. */
export async function breakerLines(
  db: Queryable,
  names: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const { rows } = await db.query<{ name: string; waiting: number }>({
    name: 'spine_breaker_lines',
    text: `SELECT b.name, (SELECT count(*) FROM (
  SELECT 1 FROM gate_waiters w WHERE w.gate_type = 'breaker' AND w.key = b.name
  ORDER BY w.priority, w.run_id LIMIT ${COUNTED_LINE}) c)::int AS waiting
FROM unnest($1::text[]) AS b(name)`,
    values: [textArray(names)],
  });
  return new Map(rows.map(({ name, waiting }) => [name, waiting]));
}

/** Keys there are, counted up to 10,000. */
export async function countGates(db: Queryable, type: GateOverview['type'] | undefined): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    name: 'spine_count_gates',
    text: `SELECT count(*)::int AS count FROM (
  SELECT 1 FROM gate_states s WHERE s.gate_type = ANY ($1::text[]) LIMIT ${COUNTED_LINE}) c`,
    values: [plainArray(type === undefined ? ['concurrency', 'rate', 'singleton'] : [type])],
  });
  return rows[0]?.count ?? 0;
}

/** Breakers there are. */
export async function countBreakers(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    name: 'spine_count_breakers',
    text: `SELECT count(*)::int AS count FROM (SELECT 1 FROM breakers LIMIT ${COUNTED_LINE}) c`,
    values: [],
  });
  return rows[0]?.count ?? 0;
}
