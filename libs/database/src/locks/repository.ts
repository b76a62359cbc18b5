/**
 * Locks as lease rows.
 *
 * 1. At most one owner holds a key: a row that has not expired is taken by nobody else.
 * 2. Only the database's clock says what has expired.
 * 3. Every acquisition has a new token, larger than all before it, of whatever key; what is written under a lock is
 *    written in a transaction that {@link lockIsHeld} has said yes to, so that an owner that stood still past its lease
 *    writes nothing.
 * 4. A lock that has expired may still be renewed as long as nobody has taken it: the token says that nobody came in
 *    between.
 */
import type { Queryable } from '../sql/pool.ts';

/** Locks under this prefix are held by live scheduler processes. */
export const SCHEDULER_LOCKS = 'scheduler:';

export interface LockRecord {
  readonly key: string;
  /** Which process holds it. */
  readonly owner: string;
  readonly token: number;
  readonly acquiredAt: Date;
  readonly renewedAt: Date;
  readonly expiresAt: Date;
  /** False once the lease is over; the row stays until somebody takes or removes it. */
  readonly active: boolean;
  readonly note: string | null;
}

export interface AcquireRequest {
  /** 1 to 200 characters, e.g. `service:retention`. */
  readonly key: string;
  readonly owner: string;
  readonly ttlMs: number;
  readonly note?: string | undefined;
}

export type AcquireOutcome =
  | { readonly type: 'acquired'; readonly token: number; readonly expiresAt: Date }
  | { readonly type: 'held'; readonly by: string; readonly expiresAt: Date };

interface LockRow {
  lock_key: string;
  owner: string;
  token: number;
  acquired_at: Date;
  renewed_at: Date;
  expires_at: Date;
  active: boolean;
  note: string | null;
}

const COLUMNS = `lock_key, owner, token, acquired_at, renewed_at, expires_at, expires_at > now() AS active, note`;

function toLockRecord(row: LockRow): LockRecord {
  return {
    key: row.lock_key,
    owner: row.owner,
    token: row.token,
    acquiredAt: row.acquired_at,
    renewedAt: row.renewed_at,
    expiresAt: row.expires_at,
    active: row.active,
    note: row.note,
  };
}

const TTL = `now() + $3::double precision * interval '1 millisecond'`;

/** Takes a lock that is free or has expired; the owner itself has to {@link renewLock} instead. */
export async function acquireLock(
  db: Queryable,
  { key, owner, ttlMs, note }: AcquireRequest,
): Promise<AcquireOutcome> {
  // A second round: the holder that stood in the way may have released it before it could be named.
  for (;;) {
    const taken = await db.query<{ token: number; expires_at: Date }>({
      text: `INSERT INTO locks (lock_key, owner, token, expires_at, note)
VALUES ($1, $2, nextval('lock_tokens'), ${TTL}, $4)
ON CONFLICT (lock_key) DO UPDATE SET owner = $2, token = nextval('lock_tokens'), acquired_at = now(),
  renewed_at = now(), expires_at = ${TTL}, note = $4
  WHERE locks.expires_at <= now()
RETURNING token, expires_at`,
      values: [key, owner, ttlMs, note ?? null],
    });
    const [row] = taken.rows;
    if (row !== undefined) return { type: 'acquired', token: row.token, expiresAt: row.expires_at };
    const holder = await db.query<{ owner: string; expires_at: Date }>({
      text: 'SELECT owner, expires_at FROM locks WHERE lock_key = $1',
      values: [key],
    });
    const [held] = holder.rows;
    if (held !== undefined) return { type: 'held', by: held.owner, expiresAt: held.expires_at };
  }
}

/** Extends the lease; null when another has taken the lock or it was released by force. */
export async function renewLock(
  db: Queryable,
  { key, token, ttlMs }: { readonly key: string; readonly token: number; readonly ttlMs: number },
): Promise<Date | null> {
  const { rows } = await db.query<{ expires_at: Date }>({
    text: `UPDATE locks SET renewed_at = now(), expires_at = ${TTL} WHERE lock_key = $1 AND token = $2
RETURNING expires_at`,
    values: [key, token, ttlMs],
  });
  return rows[0]?.expires_at ?? null;
}

/** Gives a lock back; false when it was not held with this token any more. */
export async function releaseLock(
  db: Queryable,
  { key, token }: { readonly key: string; readonly token: number },
): Promise<boolean> {
  const { rows } = await db.query({
    text: 'DELETE FROM locks WHERE lock_key = $1 AND token = $2 RETURNING lock_key',
    values: [key, token],
  });
  return rows.length > 0;
}

/**
 * Whether the lock is held with this token, and stays so until the transaction of `db` ends: whoever would take it waits.
 * To be asked in the transaction that writes under the lock.
 */
export async function lockIsHeld(
  db: Queryable,
  { key, token }: { readonly key: string; readonly token: number },
): Promise<boolean> {
  const { rows } = await db.query({
    text: 'SELECT 1 FROM locks WHERE lock_key = $1 AND token = $2 AND expires_at > now() FOR SHARE',
    values: [key, token],
  });
  return rows.length > 0;
}

/** Takes a lock from its owner, whose writes are refused from then on. Answers with who held it; null for no such lock. */
export async function forceReleaseLock(db: Queryable, key: string): Promise<LockRecord | null> {
  const { rows } = await db.query<LockRow>({
    text: `DELETE FROM locks WHERE lock_key = $1 RETURNING ${COLUMNS}`,
    values: [key],
  });
  const [row] = rows;
  return row === undefined ? null : toLockRecord(row);
}

/** Locks by key, those with the prefix where one is given. */
export async function listLocks(
  db: Queryable,
  { prefix = '', limit = 1_000 }: { readonly prefix?: string; readonly limit?: number } = {},
): Promise<LockRecord[]> {
  const { rows } = await db.query<LockRow>({
    text: `SELECT ${COLUMNS} FROM locks WHERE starts_with(lock_key, $1) ORDER BY lock_key LIMIT $2`,
    values: [prefix, limit],
  });
  return rows.map(toLockRecord);
}

/** Removes locks that expired over `olderThanMs` ago; answers how many. */
export async function deleteExpiredLocks(db: Queryable, olderThanMs: number): Promise<number> {
  const { rows } = await db.query({
    text: `DELETE FROM locks WHERE lock_key IN (
  SELECT lock_key FROM locks WHERE expires_at < now() - $1::double precision * interval '1 millisecond'
  LIMIT 1000 FOR UPDATE SKIP LOCKED) RETURNING lock_key`,
    values: [olderThanMs],
  });
  return rows.length;
}
