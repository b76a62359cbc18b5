/** What an explanation looks at beside the gates themselves. Each read is by key and bounded. */
import type { RunKind, RunStatus } from '@spine/core';
import { textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { LIVE_WORKER } from '../workers/repository.ts';
import type { StoredError } from '../runs/record.ts';
import { servedBy } from '../runs/served-by.ts';
import { HOLD_COUNTS } from './facts.ts';
import { gateId } from './gate.ts';
import type { GateKey, GateType } from './gate.ts';

/** What of a run says why it waits. Times are by the database's clock. */
export interface ExplainedRun {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly priority: number;
  readonly status: RunStatus;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly error: StoredError | null;
  readonly gates: unknown;
  /** Null where they are not in the row. */
  readonly params: unknown;
  readonly availableAt: Date;
  readonly dispatchAfter: Date | null;
  readonly startedAt: Date | null;
  readonly completedAt: Date | null;
  readonly expiresAt: Date | null;
  readonly runDeadlineAt: Date | null;
  readonly leaseOwner: string | null;
  readonly leaseExpiresAt: Date | null;
  readonly now: Date;
}

interface Row {
  id: string;
  kind: RunKind;
  name: string;
  lane: string;
  priority: number;
  status: RunStatus;
  attempt: number;
  max_attempts: number;
  error: StoredError | null;
  gates: unknown;
  params: unknown;
  available_at: Date;
  dispatch_after: Date | null;
  started_at: Date | null;
  completed_at: Date | null;
  expires_at: Date | null;
  run_deadline_at: Date | null;
  lease_owner: string | null;
  lease_expires_at: Date | null;
  now: Date;
}

export async function explainedRun(db: Queryable, runId: string): Promise<ExplainedRun | null> {
  const { rows } = await db.query<Row>({
    name: 'spine_explained_run',
    text: `SELECT r.id, r.kind, r.name, r.lane, r.priority, r.status, r.attempt, r.max_attempts, r.error, r.gates,
  CASE WHEN r.params_ref IS NULL THEN r.params END AS params, r.available_at, r.dispatch_after, r.started_at,
  r.completed_at, r.expires_at, r.run_deadline_at, r.lease_owner, r.lease_expires_at, clock_timestamp() AS now
FROM runs r WHERE r.id = $1::uuid`,
    values: [runId],
  });
  const row = rows[0];
  if (row === undefined) return null;
  return {
    runId: row.id,
    kind: row.kind,
    name: row.name,
    lane: row.lane,
    priority: row.priority,
    status: row.status,
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    error: row.error,
    gates: row.gates,
    params: row.params,
    availableAt: row.available_at,
    dispatchAfter: row.dispatch_after,
    startedAt: row.started_at,
    completedAt: row.completed_at,
    expiresAt: row.expires_at,
    runDeadlineAt: row.run_deadline_at,
    leaseOwner: row.lease_owner,
    leaseExpiresAt: row.lease_expires_at,
    now: row.now,
  };
}

/** The last event that put a run aside or off. */
export interface HoldUp {
  readonly eventType: 'paused' | 'deferred' | 'retry_scheduled' | 'handed_back';
  readonly reason: string | null;
  readonly by: string;
  readonly at: Date;
}

export async function lastHoldUp(db: Queryable, runId: string): Promise<HoldUp | null> {
  const { rows } = await db.query<{
    event_type: HoldUp['eventType'];
    reason: string | null;
    source: string;
    timestamp: Date;
  }>({
    name: 'spine_last_hold_up',
    text: `SELECT event_type, data->>'reason' AS reason, source, timestamp FROM run_events
WHERE run_id = $1::uuid AND event_type IN ('paused', 'deferred', 'retry_scheduled', 'handed_back')
ORDER BY event_id DESC LIMIT 1`,
    values: [runId],
  });
  const row = rows[0];
  if (row === undefined) return null;
  return { eventType: row.event_type, reason: row.reason, by: row.source, at: row.timestamp };
}

const SERVED = servedBy('handlers', { kind: '$2::text', name: '$3::text' });

/** Who could start a run of this lane and handler. */
export interface Serving {
  /** Live workers of the lane. */
  readonly lane: number;
  /** Of those, the ones that know the handler. */
  readonly handler: number;
  /** Run slots of the latter, and how many were used at their last heartbeat. */
  readonly slots: number;
  readonly used: number;
  /** Of the latter, those with a free slot. */
  readonly free: number;
}

export async function servingWorkers(
  db: Queryable,
  { lane, kind, name }: Pick<ExplainedRun, 'lane' | 'kind' | 'name'>,
): Promise<Serving> {
  const { rows } = await db.query<Serving>({
    name: 'spine_serving_workers',
    text: `SELECT count(*)::int AS lane, count(*) FILTER (WHERE k.knows)::int AS handler,
  COALESCE(sum(k.slots) FILTER (WHERE k.knows), 0)::int AS slots,
  COALESCE(sum(k.running) FILTER (WHERE k.knows), 0)::int AS used,
  count(*) FILTER (WHERE k.knows AND k.running < k.slots)::int AS free
FROM (SELECT slots, running, COALESCE(${SERVED}, false) AS knows FROM workers WHERE ${LIVE_WORKER} AND $1 = ANY (lanes)) k`,
    values: [lane, kind, name],
  });
  return rows[0] ?? { lane: 0, handler: 0, slots: 0, used: 0, free: 0 };
}

/** Holders that are named, of all that hold a key. */
export const NAMED_HOLDERS = 20;
/** Lines are counted up to here. */
export const COUNTED_LINE = 10_000;

export interface LineDetail {
  /** Runs that hold places under a concurrency key, oldest first; the first 20. */
  readonly holders: readonly string[];
  /** Runs before this one in the line, counted up to 10,000. */
  readonly ahead: number;
}

/** Who holds these gates and how many wait before this run, by {@link gateId}. */
export async function lineDetails(
  db: Queryable,
  gates: readonly GateKey[],
  run: { readonly runId: string; readonly priority: number },
): Promise<ReadonlyMap<string, LineDetail>> {
  const { rows } = await db.query<{
    gate_type: GateType;
    key: string;
    holders: string[] | null;
    ahead: number;
  }>({
    name: 'spine_line_details',
    text: `SELECT g.gate_type, g.key, h.holders, w.ahead
FROM unnest($1::text[], $2::text[]) AS g(gate_type, key)
CROSS JOIN LATERAL (
  SELECT array_agg(x.run_id ORDER BY x.claimed_at, x.run_id) AS holders FROM (
    SELECT h.run_id, h.claimed_at FROM concurrency_holds h
    WHERE g.gate_type = 'concurrency' AND h.key = g.key AND ${HOLD_COUNTS} LIMIT ${NAMED_HOLDERS}
  ) x
) h
CROSS JOIN LATERAL (
  SELECT count(*)::int AS ahead FROM (
    SELECT 1 FROM gate_waiters w WHERE w.gate_type = g.gate_type AND w.key = g.key
      AND (w.priority, w.run_id) < ($3::smallint, $4::uuid) LIMIT ${COUNTED_LINE}
  ) c
) w`,
    values: [
      textArray(gates.map(({ type }) => type)),
      textArray(gates.map(({ key }) => key)),
      run.priority,
      run.runId,
    ],
  });
  return new Map(
    rows.map((row) => [
      gateId({ type: row.gate_type, key: row.key }),
      { holders: row.holders ?? [], ahead: row.ahead },
    ]),
  );
}
