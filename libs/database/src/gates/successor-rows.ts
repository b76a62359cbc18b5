/**
 * Reading who is next in the lines of places that were freed, and claiming them. Two statements, no lock in between; why
 * that is enough is told in successors.ts.
 */
import {
  CLAIM_SET,
  CLAIMED_COLUMNS,
  NOT_EXPIRED,
  PAUSED_LANES,
  STARTED_EVENT,
  toClaimedRun,
} from '../runs/claim.ts';
import type { ClaimedRow, ClaimedRun, ClaimOptions } from '../runs/claim.ts';
import { servedBy } from '../runs/served-by.ts';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { LIVE_WORKER } from '../workers/repository.ts';
import type { LinePlace } from './admit.ts';
import { claimable } from './candidates.ts';
import type { CandidateRow, GatedCandidate } from './candidates.ts';
import { HOLD_COUNTS, KEPT_PLACES } from './facts.ts';

/** Somebody in a line. */
export interface LineRow extends GatedCandidate {
  /** Whether the worker that asks may start it. */
  readonly mine: boolean;
}

/** A key with the first of its line, as many as have a place. */
export interface LineHead {
  readonly key: string;
  /** Of the gate's row: another one once anybody has decided about the gate. */
  readonly version: string;
  /** Places under the key, as the last run that asked for it said. */
  readonly limit: number;
  /** Live holders. */
  readonly held: number;
  /** Whose turn was announced. */
  readonly reserved: readonly LinePlace[];
  readonly line: readonly LineRow[];
}

export interface SuccessorOptions extends ClaimOptions {
  /** Lanes of the worker. */
  readonly lanes: readonly string[];
  /** Handler keys whose gates are made from params: others' are not read. */
  readonly withParams: readonly string[];
}

/** Without `id` and what follows of it where nobody is in line. */
type HeadRow = Omit<CandidateRow, 'id'> & {
  id: string | null;
  key: string;
  version: string;
  gate_limit: number;
  live: number;
  reserved: readonly (readonly [string, number])[] | null;
  mine: boolean;
};

/** Of one line, in one look. */
const MOST_PLACES = 50;

/** Who could be started by nobody is passed over, as where turns are announced. */
export const LINE_HEADS_SQL = `SELECT g.key, s.version, s.gate_limit, n.live::int, w.reserved,
  d.id, d.kind, d.name, d.lane, d.priority, d.gates, d.params, d.mine
FROM unnest($1::text[]) AS g(key)
CROSS JOIN LATERAL (
  SELECT s.xmin::text AS version, s.gate_limit FROM gate_states s WHERE s.gate_type = 'concurrency' AND s.key = g.key LIMIT 1
) s
CROSS JOIN LATERAL (
  SELECT count(*) AS live FROM concurrency_holds h WHERE h.key = g.key AND ${HOLD_COUNTS}
) n
CROSS JOIN LATERAL (${KEPT_PLACES("'concurrency'", 'g.key')}) w
LEFT JOIN LATERAL (
  SELECT r.id, r.kind, r.name, r.lane, w.priority, r.gates, m.mine,
    CASE WHEN r.params_ref IS NULL AND r.kind || ':' || r.name = ANY($4::text[]) THEN r.params END AS params
  FROM gate_waiters w CROSS JOIN LATERAL (SELECT r.* FROM runs r WHERE r.id = w.run_id LIMIT 1) r
  CROSS JOIN LATERAL (SELECT r.lane = ANY($2::text[]) AND ${servedBy('$3::text[]')} AS mine) m
  WHERE w.gate_type = 'concurrency' AND w.key = g.key AND r.status IN ('pending', 'queued')
    AND r.available_at <= now() AND r.attempt < r.max_attempts AND r.lane <> ALL (${PAUSED_LANES}) AND ${NOT_EXPIRED}
    AND (m.mine OR EXISTS (SELECT 1 FROM workers k WHERE ${LIVE_WORKER}
      AND r.lane = ANY (k.lanes) AND ${servedBy('k.handlers')}))
  ORDER BY w.priority, w.run_id LIMIT LEAST(GREATEST(s.gate_limit - n.live, 0), ${MOST_PLACES})
) d ON true
ORDER BY g.key, d.priority, d.id`;

/** The first in line before each key, as many as there are free places. A key nobody has asked for is left out. */
export async function lineHeads(
  db: Queryable,
  keys: readonly string[],
  { lanes, handlers, withParams }: SuccessorOptions,
): Promise<LineHead[]> {
  const { rows } = await db.query<HeadRow>({
    name: 'spine_line_heads',
    text: LINE_HEADS_SQL,
    values: [textArray(keys), textArray(lanes), textArray(handlers), textArray(withParams)],
  });
  return [...Map.groupBy(rows, ({ key }) => key)].flatMap(([key, [first, ...more]]): LineHead[] => {
    if (first === undefined) return [];
    return [
      {
        key,
        version: first.version,
        limit: first.gate_limit,
        held: first.live,
        reserved: (first.reserved ?? []).map(([runId, priority]) => ({ runId, priority })),
        line: [first, ...more].flatMap(({ id, kind, name, lane, priority, gates, params, mine }) =>
          id === null ? [] : [{ runId: id, kind, name, lane, priority, gates, params, mine }],
        ),
      },
    ];
  });
}

/** A run that is to have a place under each of its keys. */
export interface SuccessorClaim {
  readonly runId: string;
  /** JSON for its row. */
  readonly gates: string;
  readonly keys: readonly string[];
}

export interface GateVersion {
  readonly key: string;
  readonly version: string;
  /** As the last run that asked for it says. */
  readonly limit: number;
}

/**
 * The lock of `l` and the write of `g` are of the version that was looked at, or of none. What `d` removes can never count
 * again; places that are taken here are not looked at by it.
 */
export const CLAIM_SUCCESSORS_SQL = `WITH a AS (
  SELECT * FROM unnest($1::uuid[], $4::text[]) AS t(id, gates)
), l AS (
  SELECT s.key, v.gate_limit FROM unnest($7::text[], $8::text[], $9::int[]) AS v(key, version, gate_limit)
  JOIN gate_states s ON s.gate_type = 'concurrency' AND s.key = v.key
  WHERE s.xmin::text = v.version ORDER BY s.key FOR UPDATE OF s
), g AS (
  UPDATE gate_states s SET gate_limit = l.gate_limit, updated_at = now()
  FROM l WHERE s.gate_type = 'concurrency' AND s.key = l.key RETURNING s.key
), k AS (
  SELECT * FROM unnest($5::text[], $6::uuid[]) AS t(key, run_id)
), o AS (
  SELECT k.run_id FROM k LEFT JOIN g ON g.key = k.key GROUP BY k.run_id HAVING count(*) = count(g.key)
), x AS (
  SELECT r.id FROM runs r WHERE ${claimable('ARRAY(SELECT run_id FROM o)', '$10::text[]')}
  ORDER BY r.id FOR UPDATE SKIP LOCKED
), c AS (
  UPDATE runs r SET ${CLAIM_SET}, gates = a.gates::jsonb
  FROM a WHERE r.id = a.id AND r.id = ANY (ARRAY(SELECT id FROM x)) AND r.status || '' IN ('queued', 'pending')
  RETURNING ${CLAIMED_COLUMNS}
), s AS (
  ${STARTED_EVENT}
), h AS (
  INSERT INTO concurrency_holds (key, run_id, epoch) SELECT k.key, c.id, c.epoch FROM k JOIN c ON c.id = k.run_id
  ON CONFLICT (key, run_id) DO UPDATE SET epoch = EXCLUDED.epoch, claimed_at = now()
), w AS (
  DELETE FROM gate_waiters WHERE run_id = ANY (ARRAY(SELECT id FROM c))
), d AS (
  DELETE FROM concurrency_holds h WHERE h.key = ANY (ARRAY(SELECT key FROM g)) AND h.run_id <> ALL ($1::uuid[])
    AND NOT ${HOLD_COUNTS}
)
SELECT * FROM c`;

/** Claims those of the runs whose gates are all at these versions, and that may still be claimed. */
export async function claimAtVersions(
  db: Queryable,
  runs: readonly SuccessorClaim[],
  versions: readonly GateVersion[],
  { workerId, leaseMs, handlers }: ClaimOptions,
): Promise<ClaimedRun[]> {
  const places = runs.flatMap(({ runId, keys }) => keys.map((key) => ({ runId, key })));
  const { rows } = await db.query<ClaimedRow>({
    name: 'spine_claim_successors',
    text: CLAIM_SUCCESSORS_SQL,
    values: [
      plainArray(runs.map(({ runId }) => runId)),
      workerId,
      leaseMs,
      textArray(runs.map(({ gates }) => gates)),
      textArray(places.map(({ key }) => key)),
      plainArray(places.map(({ runId }) => runId)),
      textArray(versions.map(({ key }) => key)),
      textArray(versions.map(({ version }) => version)),
      plainArray(versions.map(({ limit }) => limit)),
      textArray(handlers),
    ],
  });
  return rows.map(toClaimedRun);
}
