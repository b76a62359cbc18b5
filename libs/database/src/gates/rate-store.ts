/**
 * Rates in Postgres, for gates and for limiters inside handlers alike: one key is one rate, whoever takes from it.
 *
 * 1. The row's lock is held from the look to the write: two takers never count the same permit. 2. Only the database's
 * clock is asked.
 */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Pool, Queryable } from '../sql/pool.ts';
import { inTransaction } from '../sql/transaction.ts';
import { decodeRate, encodeRate } from './rate-json.ts';
import type { StoredRate } from './rate-json.ts';
import { giveBackRate, rateAvailableAt, rateIdleAt, takeRate } from './rate.ts';
import type { RateSpec, RateState, RateTake } from './rate.ts';

const LOCKS = { lockTimeoutMs: 2_000, idleTimeoutMs: 5_000 } as const;
const NOW = 'floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint';

/** Writes what was taken; the rows are there and locked. */
export async function saveRates(
  on: Queryable,
  rates: ReadonlyMap<string, StoredRate>,
  now: number,
): Promise<void> {
  if (rates.size === 0) return;
  const stored = [...rates.values()];
  await on.query({
    name: 'spine_save_rates',
    text: `UPDATE gate_states s SET rate = i.rate::jsonb, keep_until = to_timestamp(i.keep_until / 1000.0), updated_at = now()
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS i(key, rate, keep_until)
WHERE s.gate_type = 'rate' AND s.key = i.key`,
    values: [
      textArray([...rates.keys()]),
      textArray(stored.map(({ spec, state }) => encodeRate(spec, state))),
      plainArray(stored.map(({ spec, state }) => rateIdleAt(spec, state, now))),
    ],
  });
}

interface LockedRate {
  readonly state: RateState | null;
  readonly now: number;
}

async function lockRate(on: Queryable, key: string): Promise<LockedRate> {
  const { rows } = await on.query<{ rate: unknown; now: number }>({
    name: 'spine_lock_rate',
    text: `INSERT INTO gate_states (gate_type, key) VALUES ('rate', $1)
ON CONFLICT (gate_type, key) DO UPDATE SET updated_at = now()
RETURNING rate, ${NOW} AS now`,
    values: [key],
  });
  return { state: decodeRate(rows[0]?.rate)?.state ?? null, now: rows[0]?.now ?? 0 };
}

/**
 * Takes `permits` of a key's rate, or says when that would succeed.
 *
 * @throws ValidationError for more permits than the rate ever has at once.
 */
export function takeStoredRate(pool: Pool, key: string, spec: RateSpec, permits: number): Promise<RateTake> {
  return inTransaction(pool, LOCKS, async (on) => {
    const { state, now } = await lockRate(on, key);
    const take = takeRate(spec, state, permits, now);
    if (take.type === 'taken') await saveRates(on, new Map([[key, { spec, state: take.state }]]), now);
    return take;
  });
}

/** Puts back permits that were taken and not used. */
export async function giveBackStoredRate(
  pool: Pool,
  key: string,
  spec: RateSpec,
  permits: number,
): Promise<void> {
  await inTransaction(pool, LOCKS, async (on) => {
    const { state, now } = await lockRate(on, key);
    await saveRates(on, new Map([[key, { spec, state: giveBackRate(spec, state, permits, now) }]]), now);
  });
}

/** How long until `permits` could be taken, in milliseconds. */
export async function storedRateWait(
  db: Queryable,
  key: string,
  spec: RateSpec,
  permits: number,
): Promise<number> {
  const { rows } = await db.query<{ rate: unknown; now: number }>({
    name: 'spine_peek_rate',
    text: `SELECT (SELECT rate FROM gate_states WHERE gate_type = 'rate' AND key = $1) AS rate, ${NOW} AS now`,
    values: [key],
  });
  const now = rows[0]?.now ?? 0;
  return rateAvailableAt(spec, decodeRate(rows[0]?.rate)?.state ?? null, permits, now) - now;
}
