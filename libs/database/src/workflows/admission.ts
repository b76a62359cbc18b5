/**
 * Room for workflow runs: what is read and written where a run is handed over to the engine. What becomes of it is decided
 * elsewhere (`decideAdmission` of the orchestration), between the two.
 *
 * 1. The gates' locks are given before anything is read, and held until the commit: of two runs one sees what the other has
 *    taken. Gates are locked before workflows, workflows before runs, by everybody.
 * 2. A place is a row of concurrency_holds at the epoch of the hand-over. It counts while the engine holds the run, and
 *    whatever ends or pauses that frees it in the same commit.
 * 3. A run that has to wait is given back as by a shut gate: no attempt charged, no worker held, in the line of the gate.
 *    From then on the gate is its own, and the claim decides.
 */
import { InvariantError } from '@spine/core';
import { lockGates, LAST_RESORT } from '../gates/claim-gated.ts';
import type { LinePlace } from '../gates/admit.ts';
import { HOLD_COUNTS, RESERVED_FOR } from '../gates/facts.ts';
import { decodeGates, encodeGates } from '../gates/gate.ts';
import type { ConcurrencyGate, Gate } from '../gates/gate.ts';
import { textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';

/** Another run at a gate. */
export interface RunAtGate extends LinePlace {
  readonly key: string;
  /** Has a place; without one it waits in the line. */
  readonly holds: boolean;
  /** In the line, and told a moment ago that it is its turn. */
  readonly told: boolean;
  /** Handed over before: something of it has been done. */
  readonly begun: boolean;
  /** On its way out: it is cancelled, it fails, it is undone. */
  readonly leaving: boolean;
}

/** What is known of gates under their locks. */
export interface AdmissionFacts {
  /** The database's clock. */
  readonly now: Date;
  /** As in the order of a line. */
  readonly self: LinePlace;
  /** Was handed over before, and paused since. */
  readonly begun: boolean;
  /** Gates at which it has its place already. */
  readonly held: ReadonlySet<string>;
  /** By gate, oldest first: those with a place, and those of the line. */
  readonly others: readonly RunAtGate[];
}

interface OtherRow {
  key: string;
  run_id: string;
  priority: number;
  holds: boolean;
  told: boolean;
  begun: boolean;
  leaving: boolean;
}

const WAITS = `(SELECT r.status || '' IN ('pending', 'queued') FROM runs r WHERE r.id = l.run_id)`;

/** Those in line are asked for where somebody may have to be taken out of it: of a line of thousands nobody is. */
export const ADMISSION_OTHERS_SQL = `SELECT o.key, o.run_id, o.priority, o.holds, o.told, w.run_id IS NOT NULL AS begun,
  COALESCE(w.head -> 'phase' ->> 'type' IN ('stopping', 'undoing', 'handling', 'ended'), false)
    OR COALESCE((SELECT true FROM workflow_inbox i WHERE i.workflow_run_id = o.run_id
      AND i.event ->> 'type' = 'cancel' LIMIT 1), false) AS leaving
FROM (
  SELECT h.key, h.run_id, 0 AS priority, true AS holds, false AS told FROM concurrency_holds h
  WHERE h.key = ANY ($1::text[]) AND ${HOLD_COUNTS}
  UNION ALL
  SELECT l.key, l.run_id, l.priority, false, COALESCE(l.woken_at > now() - ${RESERVED_FOR}, false) FROM gate_waiters l
  WHERE l.gate_type = 'concurrency' AND l.key = ANY ($2::text[]) AND ${WAITS}
  UNION ALL
  SELECT l.key, l.run_id, l.priority, false, true FROM gate_waiters l
  WHERE l.gate_type = 'concurrency' AND l.key = ANY ($1::text[]) AND l.key <> ALL ($2::text[])
    AND l.woken_at > now() - ${RESERVED_FOR} AND ${WAITS}
) o
LEFT JOIN workflow_runs w ON w.run_id = o.run_id AND w.status <> 'ended'
WHERE o.run_id <> $3::uuid
ORDER BY o.run_id`;

export const ADMISSION_SELF_SQL = `SELECT r.priority, w.run_id IS NOT NULL AS begun, clock_timestamp() AS now,
  ARRAY(SELECT h.key FROM concurrency_holds h WHERE h.key = ANY ($2::text[]) AND h.run_id = r.id AND h.epoch = r.epoch) AS held
FROM runs r LEFT JOIN workflow_runs w ON w.run_id = r.id WHERE r.id = $1::uuid`;

/**
 * Locks the gates for the rest of the transaction and says who is at them.
 * @param whole gates whose lines are to be told in full, and not only who was told that it is their turn.
 * @returns null for a run that does not exist.
 */
export async function lockAdmission(
  trx: DbTransaction,
  runId: string,
  gates: readonly ConcurrencyGate[],
  whole: readonly string[],
): Promise<AdmissionFacts | null> {
  const on = asQueryable(trx);
  await lockGates(on, gates);
  const keys = textArray(gates.map(({ key }) => key));
  const self = await on.query<{ priority: number; begun: boolean; now: Date; held: string[] }>({
    text: ADMISSION_SELF_SQL,
    values: [runId, keys],
  });
  const [row] = self.rows;
  if (row === undefined) return null;
  const others = await on.query<OtherRow>({
    text: ADMISSION_OTHERS_SQL,
    values: [keys, textArray(whole), runId],
  });
  return {
    now: row.now,
    self: { runId, priority: row.priority },
    begun: row.begun,
    held: new Set(row.held),
    others: others.rows.map(({ run_id, ...other }) => ({ ...other, runId: run_id })),
  };
}

const TAKE_SQL = `INSERT INTO concurrency_holds (key, run_id, epoch)
SELECT k.key, $2::uuid, $3::bigint FROM unnest($1::text[]) AS k(key)
ON CONFLICT (key, run_id) DO UPDATE SET epoch = EXCLUDED.epoch, claimed_at = now()`;

/** Takes a place at each gate. @param epoch at which the engine will hold the run. */
export async function takePlaces(
  trx: DbTransaction,
  runId: string,
  epoch: number,
  keys: readonly string[],
): Promise<void> {
  if (keys.length === 0) return;
  await asQueryable(trx).query({ text: TAKE_SQL, values: [textArray(keys), runId, epoch] });
}

export interface RoomWait {
  /** Why, for the history. */
  readonly reason: string;
  /** Whose line it joins; null for none: it comes again by itself. */
  readonly gate: ConcurrencyGate | null;
  /** What has to be free before its next claim, beside the gates that it has. */
  readonly gates: readonly ConcurrencyGate[];
  /** Before its next claim. With a gate 0. */
  readonly delayMs: number;
  /** Not begun by then, it never is. */
  readonly until: Date | null;
}

async function storedGates(trx: DbTransaction, runId: string): Promise<readonly Gate[]> {
  const { rows } = await asQueryable(trx).query<{ gates: unknown }>({
    text: 'SELECT gates FROM runs WHERE id = $1::uuid',
    values: [runId],
  });
  const gates = decodeGates(rows[0]?.gates);
  // Nobody claims a run whose gates cannot be read.
  if (gates === null) throw new InvariantError(`run ${runId} was claimed with gates of a later release`);
  return gates;
}

/**
 * As {@link Settlement} `deferred`. A run that has not begun anything has not started either: it may expire, and what it
 * has waited is no part of its duration; one with a singleton key only while no other run of the key waits.
 */
const WAIT_SQL = `WITH o AS (
  SELECT r.id, r.attempt = 1 AND (SELECT true FROM workflow_runs w WHERE w.run_id = r.id) IS NULL
    AND (r.singleton_key IS NULL OR (
      SELECT true FROM runs s WHERE s.singleton_key = r.singleton_key AND s.started_at IS NULL
        AND s.status IN ('pending', 'queued', 'paused') LIMIT 1) IS NULL) AS fresh
  FROM runs r WHERE r.id = $1::uuid
), u AS (
  UPDATE runs r SET status = 'queued', epoch = r.epoch + 1, attempt = r.attempt - 1, error = NULL, lease_owner = NULL,
    lease_expires_at = NULL, deadline_at = NULL, available_at = now() + $4::bigint * interval '1 millisecond',
    dispatch_after = CASE WHEN $5::text IS NULL THEN now() + $4::bigint * interval '1 millisecond'
      ELSE now() + ${LAST_RESORT} END,
    gates = $3::jsonb, started_at = CASE WHEN o.fresh THEN NULL ELSE r.started_at END,
    expires_at = CASE WHEN o.fresh THEN LEAST(r.expires_at, $6::timestamptz) ELSE r.expires_at END
  FROM o WHERE r.id = o.id AND r.epoch = $2::bigint AND r.status || '' = 'running'
  RETURNING r.id, r.priority
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, data, source)
  SELECT id, $2::bigint, 'deferred', jsonb_build_object('reason', $7::text, 'delay_ms', $4::bigint), $8 FROM u
), q AS (
  INSERT INTO gate_waiters (run_id, gate_type, key, priority) SELECT id, 'concurrency', $5, priority FROM u
  WHERE $5::text IS NOT NULL
  ON CONFLICT (run_id) DO UPDATE SET gate_type = EXCLUDED.gate_type, key = EXCLUDED.key, priority = EXCLUDED.priority,
    woken_at = NULL, since = CASE WHEN gate_waiters.gate_type = EXCLUDED.gate_type AND gate_waiters.key = EXCLUDED.key
      THEN gate_waiters.since ELSE now() END
)
SELECT id FROM u`;

/** Gives the run of the attempt at `epoch` back to wait; false where the attempt has lost it. */
export async function waitForRoom(
  trx: DbTransaction,
  runId: string,
  epoch: number,
  { reason, gate, gates, delayMs, until }: RoomWait,
  source: string,
): Promise<boolean> {
  const stored = await storedGates(trx, runId);
  const added = new Set(gates.map(({ key }) => key));
  const all: readonly Gate[] = [
    ...stored.filter((each) => each.type !== 'concurrency' || !added.has(each.key)),
    ...gates,
  ];
  const { rows } = await asQueryable(trx).query<{ id: string }>({
    text: WAIT_SQL,
    values: [
      runId,
      epoch,
      encodeGates(all),
      Math.round(delayMs),
      gate?.key ?? null,
      until?.toISOString() ?? null,
      reason,
      source,
    ],
  });
  return rows.length === 1;
}
