/** Waiting runs that may be claimed once their gates let them through. */
import type { RunKind } from '@spine/core';
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { NOT_EXPIRED, PAUSED_LANES } from '../runs/claim.ts';
import { servedBy } from '../runs/served-by.ts';

export interface GatedCandidate {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  /** 0 is the most urgent. */
  readonly priority: number;
  /** JSON of the gates it was stored with; null for none. */
  readonly gates: unknown;
  /** Null where nobody asked for them, or where they are not in the row. */
  readonly params: unknown;
}

export interface CandidateRow {
  id: string;
  kind: RunKind;
  name: string;
  lane: string;
  priority: number;
  gates: unknown;
  params: unknown;
}

/** As in the claim without gates, and for the same reasons. @param ids, handlers expressions of arrays. */
export const claimable = (
  ids: string,
  handlers: string,
): string => `r.id = ANY(${ids}) AND r.status || '' IN ('queued', 'pending') AND r.available_at <= now()
    AND r.attempt < r.max_attempts AND ${servedBy(handlers)}
    AND r.lane <> ALL (${PAUSED_LANES}) AND ${NOT_EXPIRED}`;

const CLAIMABLE = claimable('$1::uuid[]', '$2::text[]');

const CANDIDATES_SQL = `SELECT r.id, r.kind, r.name, r.lane, r.priority, r.gates,
  CASE WHEN r.params_ref IS NULL AND r.kind || ':' || r.name = ANY($3::text[]) THEN r.params END AS params
FROM runs r WHERE ${CLAIMABLE}`;

/**
 * Those of `runIds` that wait, are due and are known here.
 *
 * @param withParams handler keys whose gates are made from params: others' are not read.
 */
export async function gatedCandidates(
  db: Queryable,
  runIds: readonly string[],
  handlers: readonly string[],
  withParams: readonly string[],
): Promise<GatedCandidate[]> {
  const { rows } = await db.query<CandidateRow>({
    name: 'spine_gated_candidates',
    text: CANDIDATES_SQL,
    values: [plainArray(runIds), textArray(handlers), textArray(withParams)],
  });
  return rows.map(({ id, ...row }) => ({ ...row, runId: id }));
}

/** Locks those that still may be claimed until the end of the transaction; what another statement holds is left out. */
export async function lockCandidates(
  on: Queryable,
  runIds: readonly string[],
  handlers: readonly string[],
): Promise<ReadonlySet<string>> {
  const { rows } = await on.query<{ id: string }>({
    name: 'spine_lock_candidates',
    text: `SELECT r.id FROM runs r WHERE ${CLAIMABLE} ORDER BY r.id FOR UPDATE SKIP LOCKED`,
    values: [plainArray(runIds), textArray(handlers)],
  });
  return new Set(rows.map(({ id }) => id));
}

/**
 * Ids of waiting runs with gates that nobody has looked at in time, for when hints do not arrive.
 *
 * @param gatedHandlers handler keys that have gates of their own: their runs need not have been stored with them.
 * @param aheadMs as of {@link overdueRuns}.
 */
export async function overdueGated(
  db: Queryable,
  lanes: readonly string[],
  handlers: readonly string[],
  gatedHandlers: readonly string[],
  limit: number,
  aheadMs = 0,
): Promise<string[]> {
  const ungated = gatedHandlers.length > 0;
  const { rows } = await db.query<{ id: string }>({
    name: ungated ? 'spine_overdue_gated_all' : 'spine_overdue_gated',
    text: ungated ? OVERDUE_ALL_SQL : OVERDUE_SQL,
    values: [
      limit,
      textArray(handlers),
      textArray(lanes),
      aheadMs,
      ...(ungated ? [textArray(gatedHandlers)] : []),
    ],
  });
  return rows.map(({ id }) => id);
}

const overdue = (
  which: string,
): string => `SELECT d.id FROM unnest($3::text[]) AS l(lane) CROSS JOIN LATERAL (
    SELECT r.id FROM runs r
    WHERE r.status IN ('pending', 'queued') AND r.lane = l.lane
      AND r.dispatch_after <= now() + $4::bigint * interval '1 millisecond' AND r.available_at <= now()
      AND r.attempt < r.max_attempts AND ${servedBy('$2::text[]')}
      AND ${which} AND ${NOT_EXPIRED}
    ORDER BY r.dispatch_after LIMIT $1
  ) d
  WHERE l.lane <> ALL (${PAUSED_LANES})`;

const OVERDUE_SQL = `${overdue('r.gates IS NOT NULL')} LIMIT $1`;

const OVERDUE_ALL_SQL = `(${overdue('r.gates IS NOT NULL')})
UNION ALL
(${overdue(`r.gates IS NULL AND r.kind || ':' || r.name = ANY($5::text[])`)})
LIMIT $1`;
