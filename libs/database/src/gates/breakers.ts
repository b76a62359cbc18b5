/**
 * What all workers know of their dependencies. A breaker without a row is closed.
 *
 * 1. Every transition is a guarded UPDATE: of many workers that see a dependency fail, one opens its breaker; of many
 *    that would try it again, one does. 2. What an operator forced stays until an operator says otherwise. 3. Only the
 *    owner of a try says how it went. 4. A try nobody hears of again keeps others off for a minute.
 */
import { InvariantError } from '@spine/core';
import { notifyWorkers } from '../control/channel.ts';
import { textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { PROBE_MS } from './admit.ts';

export const BREAKER_STATES = ['closed', 'open', 'half_open'] as const;
export type BreakerState = (typeof BREAKER_STATES)[number];

export interface BreakerRecord {
  readonly name: string;
  readonly state: BreakerState;
  /** An operator said so; no worker changes it. */
  readonly forced: boolean;
  /** From then on one call may try; null where closed, and for an operator's "until further notice". */
  readonly openUntil: Date | null;
  /** Of the calls that opened it. */
  readonly failures: number;
  /** Who brought the state about: a worker, the run that tried, an operator. */
  readonly changedBy: string;
  readonly note: string | null;
  /** Run that tries while it is half open. */
  readonly probeOwner: string | null;
  readonly probeUntil: Date | null;
  /** Milliseconds until somebody may try, by the database's clock; null where closed and until further notice. */
  readonly retryInMs: number | null;
  readonly updatedAt: Date;
}

interface BreakerRow {
  name: string;
  state: BreakerState;
  forced: boolean;
  open_until: Date | null;
  failures: number;
  changed_by: string;
  note: string | null;
  probe_owner: string | null;
  probe_until: Date | null;
  retry_in_ms: number | null;
  updated_at: Date;
}

const COLUMNS = `name, state, forced, open_until, failures, changed_by, note, probe_owner, probe_until, updated_at,
  GREATEST(0, extract(epoch FROM COALESCE(open_until, probe_until) - now()) * 1000)::int8 AS retry_in_ms`;

function toRecord(row: BreakerRow): BreakerRecord {
  return {
    name: row.name,
    state: row.state,
    forced: row.forced,
    openUntil: row.open_until,
    failures: row.failures,
    changedBy: row.changed_by,
    note: row.note,
    probeOwner: row.probe_owner,
    probeUntil: row.probe_until,
    retryInMs: row.open_until === null && row.probe_until === null ? null : row.retry_in_ms,
    updatedAt: row.updated_at,
  };
}

async function told(db: Queryable, changed: boolean): Promise<boolean> {
  // Whoever does not hear of it reads the table with its next heartbeat.
  if (changed) await notifyWorkers(db, [{ type: 'breakers' }]).catch(() => undefined);
  return changed;
}

/** Breakers that are not simply closed. */
export async function notableBreakers(db: Queryable): Promise<BreakerRecord[]> {
  const { rows } = await db.query<BreakerRow>({
    name: 'spine_notable_breakers',
    text: `SELECT ${COLUMNS} FROM breakers WHERE state <> 'closed' OR forced ORDER BY name LIMIT 1000`,
    values: [],
  });
  return rows.map(toRecord);
}

/** Every breaker that was ever open or forced, by name. */
export async function listBreakers(
  db: Queryable,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<BreakerRecord[]> {
  const { rows } = await db.query<BreakerRow>({
    name: 'spine_list_breakers',
    text: `SELECT ${COLUMNS} FROM breakers WHERE name > $1 ORDER BY name LIMIT $2`,
    values: [after, limit],
  });
  return rows.map(toRecord);
}

export async function getBreaker(db: Queryable, name: string): Promise<BreakerRecord | null> {
  const { rows } = await db.query<BreakerRow>({
    name: 'spine_get_breaker',
    text: `SELECT ${COLUMNS} FROM breakers WHERE name = $1`,
    values: [name],
  });
  const row = rows[0];
  return row === undefined ? null : toRecord(row);
}

const OPENED = `state = 'open', forced = false, open_until = EXCLUDED.open_until, failures = EXCLUDED.failures,
  changed_by = EXCLUDED.changed_by, note = EXCLUDED.note, probe_owner = NULL, probe_until = NULL, updated_at = now()`;

/** A worker found that a dependency fails; false when its breaker is open already, or an operator decided. */
export async function openBreaker(
  db: Queryable,
  name: string,
  {
    forMs,
    failures,
    by,
    note,
  }: {
    readonly forMs: number;
    readonly failures: number;
    readonly by: string;
    readonly note: string | null;
  },
): Promise<boolean> {
  const { rows } = await db.query<{ name: string }>({
    name: 'spine_open_breaker',
    text: `INSERT INTO breakers (name, state, open_until, failures, changed_by, note)
VALUES ($1, 'open', now() + $2::bigint * interval '1 millisecond', $3, $4, $5)
ON CONFLICT (name) DO UPDATE SET ${OPENED} WHERE breakers.state = 'closed' AND NOT breakers.forced
RETURNING name`,
    values: [name, forMs, failures, by, note],
  });
  return told(db, rows.length > 0);
}

const PROBE_DUE = `(b.state = 'open' AND b.open_until <= now()
    OR b.state = 'half_open' AND (b.probe_until <= now() OR b.probe_owner = $2)) AND NOT b.forced`;

export type ProbeOutcome =
  | { readonly type: 'closed' }
  /** The caller may try, and says afterwards how it went. */
  | { readonly type: 'probe' }
  /** Null: until further notice. */
  | { readonly type: 'refused'; readonly retryInMs: number | null };

/** Asks to be the one that tries a dependency again. */
export async function probeBreaker(db: Queryable, name: string, owner: string): Promise<ProbeOutcome> {
  const { rows } = await db.query<{ name: string }>({
    name: 'spine_probe_breaker',
    text: `UPDATE breakers b SET state = 'half_open', open_until = NULL, probe_owner = $2,
  probe_until = now() + interval '${PROBE_MS} milliseconds', changed_by = 'run:' || $2, updated_at = now()
WHERE b.name = $1 AND ${PROBE_DUE} RETURNING b.name`,
    values: [name, owner],
  });
  if (rows.length > 0) {
    await told(db, true);
    return { type: 'probe' };
  }
  const breaker = await getBreaker(db, name);
  if (breaker === null || breaker.state === 'closed') return { type: 'closed' };
  return { type: 'refused', retryInMs: breaker.retryInMs };
}

/** The same for runs that a claim admits as those who try; under the breakers' locks. */
export async function probeBreakers(on: Queryable, probes: ReadonlyMap<string, string>): Promise<void> {
  if (probes.size === 0) return;
  await on.query({
    name: 'spine_probe_breakers',
    text: `UPDATE breakers b SET state = 'half_open', open_until = NULL, probe_owner = i.owner,
  probe_until = now() + interval '${PROBE_MS} milliseconds', changed_by = 'run:' || i.owner, updated_at = now()
FROM unnest($1::text[], $2::text[]) AS i(name, owner)
WHERE b.name = i.name AND NOT b.forced AND (b.state = 'open' AND b.open_until <= now() OR b.state = 'half_open'
  AND (b.probe_until <= now() OR b.probe_owner = i.owner))`,
    values: [textArray([...probes.keys()]), textArray([...probes.values()])],
  });
}

/**
 * How a try went; false when the caller is not the one that tries.
 *
 * @param openForMs how long it stays open after a failure.
 */
export async function reportProbe(
  db: Queryable,
  name: string,
  owner: string,
  succeeded: boolean,
  openForMs: number,
): Promise<boolean> {
  const { rows } = await db.query<{ name: string }>({
    name: succeeded ? 'spine_probe_succeeded' : 'spine_probe_failed',
    text: succeeded
      ? `UPDATE breakers SET state = 'closed', open_until = NULL, failures = 0, note = NULL,
  changed_by = 'run:' || $2, probe_owner = NULL, probe_until = NULL, updated_at = now()
WHERE name = $1 AND state = 'half_open' AND probe_owner = $2 RETURNING name`
      : `UPDATE breakers SET state = 'open', open_until = now() + $3::bigint * interval '1 millisecond',
  failures = failures + 1, changed_by = 'run:' || $2, probe_owner = NULL, probe_until = NULL, updated_at = now()
WHERE name = $1 AND state = 'half_open' AND probe_owner = $2 RETURNING name`,
    values: succeeded ? [name, owner] : [name, owner, openForMs],
  });
  return told(db, rows.length > 0);
}

/** What an operator says of a breaker. */
export type BreakerOrder =
  /** Refuses calls: for so long, or null until further notice. */
  | { readonly type: 'open'; readonly forMs: number | null }
  /** Lets calls through whatever fails, until further notice. */
  | { readonly type: 'close' }
  /** Closed, and from then on decided by the workers again. */
  | { readonly type: 'reset' };

/** Carries out an operator's order; answers with the breaker as it is then. */
export async function orderBreaker(
  db: Queryable,
  name: string,
  order: BreakerOrder,
  by: string,
  note: string | null,
): Promise<BreakerRecord> {
  const open = order.type === 'open';
  const { rows } = await db.query<BreakerRow>({
    name: 'spine_order_breaker',
    text: `INSERT INTO breakers AS b (name, state, forced, open_until, changed_by, note)
VALUES ($1, $2, $3, now() + $4::bigint * interval '1 millisecond', $5, $6)
ON CONFLICT (name) DO UPDATE SET state = EXCLUDED.state, forced = EXCLUDED.forced, open_until = EXCLUDED.open_until,
  failures = 0, changed_by = EXCLUDED.changed_by, note = EXCLUDED.note, probe_owner = NULL,
  probe_until = NULL, updated_at = now()
RETURNING ${COLUMNS}`,
    values: [
      name,
      open ? 'open' : 'closed',
      // With an end it is the workers' again from then on.
      open ? order.forMs === null : order.type === 'close',
      open ? order.forMs : null,
      by,
      note,
    ],
  });
  const row = rows[0];
  if (row === undefined) throw new InvariantError(`breaker ${name} was not written`);
  await told(db, true);
  return toRecord(row);
}
