/**
 * Claiming runs that have gates: decided under the gates' locks, claimed by the same guarded UPDATE as all others.
 *
 * 1. Gates are locked in one order by everybody, then runs, which are skipped when another statement holds them.
 * 2. What the gates hold is read after the locks were given, by a statement with a snapshot of its own: everything an
 *    earlier holder of the locks has committed is in it. Without the locks two claims would count the same free place.
 * 3. The claim, its places and what it took from rates commit together. A place is freed by whatever ends or takes the
 *    attempt, see concurrency_holds.
 * 4. A run that is refused joins the line of the first gate that was shut, gives its slot back, and is charged nothing.
 * 5. A process that stands still in between loses its transaction after seconds, and with it the locks.
 */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Pool, Queryable } from '../sql/pool.ts';
import { inTransaction } from '../sql/transaction.ts';
import { CLAIM_SET, CLAIMED_COLUMNS, STARTED_EVENT, toClaimedRun } from '../runs/claim.ts';
import type { ClaimedRow, ClaimedRun, ClaimOptions } from '../runs/claim.ts';
import { admit } from './admit.ts';
import type { Admission, GatedRun, Refusal } from './admit.ts';
import { probeBreakers } from './breakers.ts';
import { gatedCandidates, lockCandidates } from './candidates.ts';
import type { GatedCandidate } from './candidates.ts';
import { HOLD_COUNTS, loadGateFacts } from './facts.ts';
import { encodeGates, gateId } from './gate.ts';
import type { Gate } from './gate.ts';
import { saveRates } from './rate-store.ts';

export interface GatedClaimOptions extends ClaimOptions {
  /** The gates of a run as they are now; null when they cannot be read here: the run is left to another worker. */
  readonly gatesOf: (run: GatedCandidate) => readonly Gate[] | null;
  /** Handler keys whose gates are made from params. */
  readonly withParams: readonly string[];
}

export interface GatedClaims {
  readonly claimed: readonly ClaimedRun[];
  readonly refused: readonly Refusal[];
  /** Breakers that a claimed run now tries, by name: the run. */
  readonly probes: ReadonlyMap<string, string>;
  /** Places that were found to be nobody's and removed. */
  readonly staleHolds: number;
  /** The database's time of the decision, in milliseconds since 1970. */
  readonly now: number;
}

const NOTHING: GatedClaims = { claimed: [], refused: [], probes: new Map(), staleHolds: 0, now: 0 };

const LOCKS = { lockTimeoutMs: 2_000, idleTimeoutMs: 5_000 } as const;

/** A run in a line is told when it is its turn. Should nobody tell it, it asks again by itself after about so long. */
export const LAST_RESORT = "interval '5 minutes' * (0.9 + random() * 0.2)";

/**
 * Claims those of `runIds` whose gates let them through.
 *
 * @throws the driver's error; SQLSTATE 55P03 when a gate's lock was not given within two seconds.
 */
export async function claimGated(
  pool: Pool,
  runIds: readonly string[],
  options: GatedClaimOptions,
): Promise<GatedClaims> {
  const candidates = await gatedCandidates(pool, runIds, options.handlers, options.withParams);
  const runs = candidates.flatMap((candidate): GatedRun[] => {
    const gates = options.gatesOf(candidate);
    return gates === null ? [] : [{ runId: candidate.runId, priority: candidate.priority, gates }];
  });
  if (runs.length === 0) return NOTHING;
  return inTransaction(pool, LOCKS, (on) => decide(on, runs, options));
}

async function decide(
  on: Queryable,
  all: readonly GatedRun[],
  options: GatedClaimOptions,
): Promise<GatedClaims> {
  const keys = new Map(all.flatMap(({ gates }) => gates.map((gate) => [gateId(gate), gate])));
  const gates = [...keys.values()];
  await lockGates(on, gates);
  const claimable = await lockCandidates(
    on,
    all.map(({ runId }) => runId),
    options.handlers,
  );
  const runs = all.filter(({ runId }) => claimable.has(runId));
  if (runs.length === 0) return NOTHING;
  const facts = await loadGateFacts(on, gates);
  const staleHolds = await removeStaleHolds(on, [...facts.stale.keys()]);
  const admission = admit(runs, facts);
  const claimed = await apply(on, runs, admission, options);
  await saveRates(on, admission.rates, facts.now);
  await probeBreakers(on, admission.probes);
  return { claimed, refused: admission.refused, probes: admission.probes, staleHolds, now: facts.now };
}

const LOCK_SQL = `INSERT INTO gate_states (gate_type, key, gate_limit)
SELECT gate_type, key, gate_limit FROM unnest($1::text[], $2::text[], $3::int[]) AS g(gate_type, key, gate_limit)
ORDER BY gate_type, key
ON CONFLICT (gate_type, key) DO UPDATE SET gate_limit = EXCLUDED.gate_limit, updated_at = now()`;

/** Locks the gates until the end of the transaction, in the order in which everybody does. */
export async function lockGates(on: Queryable, gates: readonly Gate[]): Promise<void> {
  const kept = gates.filter(({ type }) => type !== 'breaker');
  if (kept.length > 0) {
    await on.query({
      name: 'spine_gate_lock',
      text: LOCK_SQL,
      values: [
        textArray(kept.map(({ type }) => type)),
        textArray(kept.map(({ key }) => key)),
        plainArray(kept.map((gate) => (gate.type === 'concurrency' ? gate.limit : null))),
      ],
    });
  }
  const breakers = gates.filter(({ type }) => type === 'breaker');
  if (breakers.length === 0) return;
  // A closed one lets everybody through: there is nothing to decide under a lock.
  await on.query({
    name: 'spine_breaker_lock',
    text: `SELECT name FROM breakers WHERE name = ANY($1::text[]) AND state <> 'closed' ORDER BY name FOR UPDATE`,
    values: [textArray(breakers.map(({ key }) => key))],
  });
}

async function removeStaleHolds(on: Queryable, keys: readonly string[]): Promise<number> {
  if (keys.length === 0) return 0;
  const { rowCount } = await on.query({
    name: 'spine_remove_stale_holds',
    text: `DELETE FROM concurrency_holds h WHERE h.key = ANY($1::text[]) AND NOT ${HOLD_COUNTS}`,
    values: [textArray(keys)],
  });
  return rowCount ?? 0;
}

const APPLY_SQL = `WITH a AS (
  SELECT * FROM unnest($1::uuid[], $4::text[]) AS t(id, gates)
), c AS (
  UPDATE runs r SET ${CLAIM_SET}, gates = a.gates::jsonb
  FROM a WHERE r.id = a.id AND r.status || '' IN ('queued', 'pending')
  RETURNING ${CLAIMED_COLUMNS}
), s AS (
  ${STARTED_EVENT}
), h AS (
  INSERT INTO concurrency_holds (key, run_id, epoch)
  SELECT k.key, c.id, c.epoch FROM unnest($5::text[], $6::uuid[]) AS k(key, run_id) JOIN c ON c.id = k.run_id
  ON CONFLICT (key, run_id) DO UPDATE SET epoch = EXCLUDED.epoch, claimed_at = now()
), l AS (
  DELETE FROM gate_waiters WHERE run_id = ANY($1::uuid[])
), f AS (
  SELECT * FROM unnest($7::uuid[], $8::text[], $9::text[], $10::smallint[], $11::text[])
    AS t(id, gate_type, key, priority, gates)
), d AS (
  UPDATE runs r SET dispatch_after = now() + ${LAST_RESORT}, gates = f.gates::jsonb
  FROM f WHERE r.id = f.id AND r.status || '' IN ('queued', 'pending')
), q AS (
  INSERT INTO gate_waiters (run_id, gate_type, key, priority) SELECT id, gate_type, key, priority FROM f
  ON CONFLICT (run_id) DO UPDATE SET gate_type = EXCLUDED.gate_type, key = EXCLUDED.key, priority = EXCLUDED.priority,
    woken_at = NULL, since = CASE WHEN gate_waiters.gate_type = EXCLUDED.gate_type AND gate_waiters.key = EXCLUDED.key
      THEN gate_waiters.since ELSE now() END
)
SELECT * FROM c`;

async function apply(
  on: Queryable,
  runs: readonly GatedRun[],
  { admitted, refused }: Admission,
  options: ClaimOptions,
): Promise<readonly ClaimedRun[]> {
  const holds = admitted.flatMap(({ runId, gates }) =>
    gates.filter(({ type }) => type === 'concurrency').map(({ key }) => ({ runId, key })),
  );
  const gatesOf = new Map(runs.map(({ runId, gates }) => [runId, encodeGates(gates)]));
  const { rows } = await on.query<ClaimedRow>({
    name: 'spine_claim_gated',
    text: APPLY_SQL,
    values: [
      plainArray(admitted.map(({ runId }) => runId)),
      options.workerId,
      options.leaseMs,
      textArray(admitted.map(({ gates }) => encodeGates(gates))),
      textArray(holds.map(({ key }) => key)),
      plainArray(holds.map(({ runId }) => runId)),
      plainArray(refused.map(({ runId }) => runId)),
      textArray(refused.map(({ gate }) => gate.type)),
      textArray(refused.map(({ gate }) => gate.key)),
      plainArray(refused.map(({ priority }) => priority)),
      textArray(refused.map(({ runId }) => gatesOf.get(runId) ?? null)),
    ],
  });
  return rows.map(toClaimedRun);
}
