/**
 * Telling the first of a line that it is their turn.
 *
 * 1. A turn is announced, not given: the claim decides again under the gate's lock. A turn announced twice or to a run
 *    that is gone costs a look. 2. Whoever was told keeps the place for some seconds, so that nobody behind it takes it
 *    meanwhile. 3. Only runs that some live worker could start now are told: others would keep places for nothing.
 * 4. Nothing is locked that a claim could wait for while it is waited for: rows that others hold are skipped.
 */
import { priorityOf } from '@spine/core';
import type { RunKind } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { PAUSED_LANES } from '../runs/claim.ts';
import { servedBy } from '../runs/served-by.ts';
import type { DueRun } from '../runs/maintain.ts';
import { LIVE_WORKER } from '../workers/repository.ts';
import { UNUSED } from './admit.ts';
import { loadGateFacts, RESERVED_FOR } from './facts.ts';
import { gateId } from './gate.ts';
import type { GateKey, GateType } from './gate.ts';
import { nextLookAt, placesAt } from './line.ts';

export interface LineLook {
  readonly gate: GateKey;
  /** Milliseconds from the look; null where time alone opens nothing, or nobody was left in the line. */
  readonly againInMs: number | null;
}

export interface Woken {
  /** Runs whose hint should be sent now. */
  readonly runs: readonly DueRun[];
  readonly looks: readonly LineLook[];
}

/**
 * Waits until whoever decides about these gates has committed. A run that was refused because of a place that is free
 * by now is in its line afterwards.
 */
export async function afterGateLocks(db: Queryable, gates: readonly GateKey[]): Promise<void> {
  await db.query({
    name: 'spine_gate_barrier',
    text: `SELECT 1 FROM gate_states s JOIN unnest($1::text[], $2::text[]) AS g(gate_type, key)
  ON s.gate_type = g.gate_type AND s.key = g.key
ORDER BY s.gate_type, s.key FOR SHARE OF s`,
    values: [textArray(gates.map(({ type }) => type)), textArray(gates.map(({ key }) => key))],
  });
}

export const WAKE_SQL = `WITH g AS (
  SELECT * FROM unnest($1::text[], $2::text[], $3::int[]) AS t(gate_type, key, places)
), x AS (
  SELECT d.run_id, g.gate_type, g.key FROM g CROSS JOIN LATERAL (
    SELECT w.run_id FROM gate_waiters w
    CROSS JOIN LATERAL (SELECT r.* FROM runs r WHERE r.id = w.run_id LIMIT 1) r
    WHERE w.gate_type = g.gate_type AND w.key = g.key AND (w.woken_at IS NULL OR w.woken_at <= now() - ${RESERVED_FOR})
      AND r.status IN ('pending', 'queued') AND r.available_at <= now() AND r.lane <> ALL (${PAUSED_LANES})
      AND EXISTS (SELECT 1 FROM workers k WHERE ${LIVE_WORKER}
        AND r.lane = ANY (k.lanes) AND ${servedBy('k.handlers')})
    ORDER BY w.priority, w.run_id LIMIT g.places FOR UPDATE OF w SKIP LOCKED
  ) d
), m AS (
  UPDATE gate_waiters w SET woken_at = now() WHERE w.run_id = ANY (ARRAY(SELECT run_id FROM x))
), l AS (
  SELECT r.id FROM runs r WHERE r.id = ANY (ARRAY(SELECT run_id FROM x)) AND r.status || '' IN ('pending', 'queued')
  FOR UPDATE SKIP LOCKED
), u AS (
  UPDATE runs r SET dispatch_after = now() + ${RESERVED_FOR} WHERE r.id = ANY (ARRAY(SELECT id FROM l))
  RETURNING r.id, r.kind, r.name, r.lane, r.priority
)
SELECT u.*, x.gate_type, x.key FROM u JOIN x ON x.run_id = u.id`;

interface WokenRow {
  id: string;
  kind: RunKind;
  name: string;
  lane: string;
  priority: number;
  gate_type: GateType;
  key: string;
}

/** Tells as many of each line as its gate has room for. */
export async function wakeLines(db: Queryable, gates: readonly GateKey[]): Promise<Woken> {
  if (gates.length === 0) return { runs: [], looks: [] };
  const facts = await loadGateFacts(db, gates);
  const lines = gates.map((gate) => {
    const id = gateId(gate);
    const fact = facts.gates.get(id) ?? UNUSED;
    const spec = facts.specs.get(id) ?? { limit: null, rate: null };
    const places = placesAt(gate.type, fact, spec, facts.now);
    return { gate, places, nextAt: nextLookAt(gate.type, fact, spec, facts.now) };
  });
  const free = lines.filter(({ places }) => places > 0);
  const rows = free.length === 0 ? [] : await take(db, free);
  const taken = Map.groupBy(rows, (row) => gateId({ type: row.gate_type, key: row.key }));
  return {
    runs: rows.map(toDueRun),
    looks: lines.map(({ gate, places, nextAt }): LineLook => {
      const nobodyLeft = (taken.get(gateId(gate))?.length ?? 0) < places;
      return { gate, againInMs: nobodyLeft || nextAt === null ? null : Math.max(0, nextAt - facts.now) };
    }),
  };
}

async function take(
  db: Queryable,
  lines: readonly { readonly gate: GateKey; readonly places: number }[],
): Promise<WokenRow[]> {
  const { rows } = await db.query<WokenRow>({
    name: 'spine_wake_lines',
    text: WAKE_SQL,
    values: [
      textArray(lines.map(({ gate }) => gate.type)),
      textArray(lines.map(({ gate }) => gate.key)),
      plainArray(lines.map(({ places }) => places)),
    ],
  });
  return rows;
}

function toDueRun(row: WokenRow): DueRun {
  return {
    runId: row.id,
    kind: row.kind,
    name: row.name,
    lane: row.lane,
    priority: priorityOf(row.priority),
    gated: true,
  };
}

/** Gates with a line, after `after` in their order; found by skipping through the index, a step a line. */
export async function gatesWithLines(
  db: Queryable,
  after: GateKey | null,
  limit: number,
): Promise<GateKey[]> {
  const { rows } = await db.query<{ gate_type: GateType; key: string }>({
    name: 'spine_gates_with_lines',
    text: LINES_SQL,
    values: [after?.type ?? '', after?.key ?? '', limit],
  });
  return rows.map(({ gate_type, key }) => ({ type: gate_type, key }));
}

const LINES_SQL = `WITH RECURSIVE l AS (
  (SELECT w.gate_type, w.key FROM gate_waiters w WHERE (w.gate_type, w.key) > ($1, $2)
   ORDER BY w.gate_type, w.key LIMIT 1)
  UNION ALL
  SELECT n.gate_type, n.key FROM l CROSS JOIN LATERAL (
    SELECT w.gate_type, w.key FROM gate_waiters w WHERE (w.gate_type, w.key) > (l.gate_type, l.key)
    ORDER BY w.gate_type, w.key LIMIT 1
  ) n
)
SELECT gate_type, key FROM l LIMIT $3`;
