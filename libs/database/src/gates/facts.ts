/**
 * What gates hold now, in one statement. Under the gates' locks it is what a claim decides by; without them, what a wake
 * or an explanation goes by.
 *
 * A hold counts while its run is running at the hold's epoch: looked up run by run by primary key, whatever the
 * statistics say of how many runs are running.
 */
import { textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { UNUSED } from './admit.ts';
import type { BreakerFact, GateFact, GateFacts, LinePlace } from './admit.ts';
import { gateId } from './gate.ts';
import type { GateKey, GateType } from './gate.ts';
import { decodeRate } from './rate-json.ts';
import type { RateSpec } from './rate.ts';

/** So long a place is kept for a run whose turn was announced. */
export const RESERVED_FOR = "interval '10 seconds'";
/** Announced turns of one line that are looked at. */
const RESERVED_LIMIT = 1_000;

/** Whether hold `h` counts. */
export const HOLD_COUNTS = `COALESCE((SELECT r.status || '' = 'running' AND r.epoch = h.epoch FROM runs r
      WHERE r.id = h.run_id), false)`;

/** Whose turn was announced before a gate, as `reserved`. @param type, key expressions of the gate. */
export const KEPT_PLACES = (type: string, key: string): string => `
  SELECT jsonb_agg(jsonb_build_array(x.run_id, x.priority)) AS reserved FROM (
    SELECT w.run_id, w.priority FROM gate_waiters w
    WHERE w.gate_type = ${type} AND w.key = ${key} AND w.woken_at > now() - ${RESERVED_FOR}
      AND (SELECT r.status || '' IN ('pending', 'queued') FROM runs r WHERE r.id = w.run_id) LIMIT ${RESERVED_LIMIT}
  ) x`;

const FACTS_SQL = `SELECT g.gate_type, g.key, s.gate_limit, s.rate, n.live::int, n.stale::int, a.id AS active, w.reserved,
  b.state, floor(extract(epoch FROM b.open_until) * 1000)::bigint AS open_until, b.probe_owner,
  floor(extract(epoch FROM b.probe_until) * 1000)::bigint AS probe_until,
  floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS now
FROM unnest($1::text[], $2::text[]) AS g(gate_type, key)
LEFT JOIN LATERAL (
  SELECT s.gate_limit, s.rate FROM gate_states s WHERE s.gate_type = g.gate_type AND s.key = g.key LIMIT 1
) s ON true
CROSS JOIN LATERAL (
  SELECT count(*) FILTER (WHERE c.counts) AS live, count(*) FILTER (WHERE NOT c.counts) AS stale FROM (
    SELECT ${HOLD_COUNTS} AS counts FROM concurrency_holds h WHERE g.gate_type = 'concurrency' AND h.key = g.key
  ) c
) n
LEFT JOIN LATERAL (
  SELECT r.id FROM runs r WHERE g.gate_type = 'singleton' AND r.singleton_key = g.key AND r.started_at IS NOT NULL
    AND r.status IN ('pending', 'queued', 'paused', 'running') LIMIT 1
) a ON true
CROSS JOIN LATERAL (${KEPT_PLACES('g.gate_type', 'g.key')}) w
LEFT JOIN LATERAL (
  SELECT b.* FROM breakers b WHERE g.gate_type = 'breaker' AND b.name = g.key LIMIT 1
) b ON true`;

interface FactRow {
  gate_type: GateType;
  key: string;
  gate_limit: number | null;
  rate: unknown;
  live: number;
  stale: number;
  active: string | null;
  reserved: readonly (readonly [string, number])[] | null;
  state: 'closed' | 'open' | 'half_open' | null;
  open_until: number | null;
  probe_owner: string | null;
  probe_until: number | null;
  now: number;
}

/** What the last run that asked said of a gate. */
export interface LineSpec {
  readonly limit: number | null;
  readonly rate: RateSpec | null;
}

export interface LoadedFacts extends GateFacts {
  /** By {@link gateId}. */
  readonly specs: ReadonlyMap<string, LineSpec>;
  /** Concurrency keys with holds that no longer count, and how many. */
  readonly stale: ReadonlyMap<string, number>;
}

function toBreaker(row: FactRow): BreakerFact {
  switch (row.state) {
    case 'open':
      return { state: 'open', until: row.open_until };
    case 'half_open':
      return { state: 'half_open', owner: row.probe_owner ?? '', until: row.probe_until ?? 0 };
    case 'closed':
    case null:
      return { state: 'closed' };
  }
}

function toFact(row: FactRow): GateFact {
  return {
    ...UNUSED,
    held: row.live,
    rate: decodeRate(row.rate)?.state ?? null,
    active: row.active,
    breaker: toBreaker(row),
    reserved: (row.reserved ?? []).map(([runId, priority]): LinePlace => ({ runId, priority })),
  };
}

/** What these gates hold. */
export async function loadGateFacts(db: Queryable, keys: readonly GateKey[]): Promise<LoadedFacts> {
  const { rows } = await db.query<FactRow>({
    name: 'spine_gate_facts',
    text: FACTS_SQL,
    values: [textArray(keys.map(({ type }) => type)), textArray(keys.map(({ key }) => key))],
  });
  const idOf = ({ gate_type, key }: FactRow): string => gateId({ type: gate_type, key });
  return {
    now: Math.max(0, ...rows.map(({ now }) => now)),
    gates: new Map(rows.map((row) => [idOf(row), toFact(row)])),
    specs: new Map(
      rows.map((row) => [idOf(row), { limit: row.gate_limit, rate: decodeRate(row.rate)?.spec ?? null }]),
    ),
    stale: new Map(rows.filter(({ stale }) => stale > 0).map(({ key, stale }) => [key, stale])),
  };
}
