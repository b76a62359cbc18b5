/**
 * API keys: the one owner of `api_keys`.
 *
 * 1. Only the SHA-256 of a key's text is stored. 2. The database's clock decides what has expired: who reads a key is told
 * how long it is good. 3. A revoked key stays revoked and every row stays: the audit log names it.
 */
import { sql } from 'kysely';
import type { Scope } from '@spine/core';
import { COUNTED_ROWS, ledgerPage } from '../ledger/pages.ts';
import type { LedgerPage, LedgerPageRequest } from '../ledger/pages.ts';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';

/** Without its hashes. */
export interface ApiKeyRecord {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  /** Null: every namespace. */
  readonly namespace: string | null;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly expiresAt: Date | null;
  readonly rotatedAt: Date | null;
  /** Until when the secret before the last rotation is good; null for none. */
  readonly previousUntil: Date | null;
  readonly revokedAt: Date | null;
  readonly revokedBy: string | null;
  /** To the minute. */
  readonly lastUsedAt: Date | null;
  /** By the database's clock: neither revoked nor expired. */
  readonly active: boolean;
}

export interface NewApiKey {
  /** A UUID v7. */
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly namespace: string | null;
  /** 32 bytes. */
  readonly hash: Buffer;
  /** The principal. */
  readonly createdBy: string;
  readonly expiresAt: Date | null;
}

/** What decides about a request that offers a key. Milliseconds from now, negative once over. */
export interface KeyFacts {
  readonly keyId: string;
  readonly name: string;
  readonly scopes: readonly Scope[];
  readonly namespace: string | null;
  readonly hash: Buffer;
  readonly previousHash: Buffer | null;
  readonly previousForMs: number | null;
  readonly expiresInMs: number | null;
  readonly revoked: boolean;
}

const COLUMNS = sql`key_id, name, scopes, namespace, created_at, created_by, expires_at, rotated_at, previous_until,
  revoked_at, revoked_by, last_used_at, revoked_at IS NULL AND COALESCE(expires_at > now(), true) AS active`;

interface KeyRow {
  key_id: string;
  name: string;
  scopes: Scope[];
  namespace: string | null;
  created_at: Date;
  created_by: string;
  expires_at: Date | null;
  rotated_at: Date | null;
  previous_until: Date | null;
  revoked_at: Date | null;
  revoked_by: string | null;
  last_used_at: Date | null;
  active: boolean;
}

function toRecord(row: KeyRow): ApiKeyRecord {
  return {
    keyId: row.key_id,
    name: row.name,
    scopes: row.scopes,
    namespace: row.namespace,
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at,
    rotatedAt: row.rotated_at,
    previousUntil: row.previous_until,
    revokedAt: row.revoked_at,
    revokedBy: row.revoked_by,
    lastUsedAt: row.last_used_at,
    active: row.active,
  };
}

/** Null, and nothing stored, for a key that would have expired already. */
export async function insertApiKey(db: Db, key: NewApiKey): Promise<ApiKeyRecord | null> {
  const { rows } = await sql<KeyRow>`
    INSERT INTO api_keys (key_id, name, scopes, namespace, secret_hash, created_by, expires_at)
    SELECT ${key.keyId}::uuid, ${key.name}, ${[...key.scopes]}::text[], ${key.namespace}, ${key.hash}::bytea,
      ${key.createdBy}, ${key.expiresAt}::timestamptz
    WHERE COALESCE(${key.expiresAt}::timestamptz > now(), true)
    RETURNING ${COLUMNS}`.execute(db);
  const [row] = rows;
  return row === undefined ? null : toRecord(row);
}

export async function getApiKey(db: Db, keyId: string): Promise<ApiKeyRecord | null> {
  const { rows } = await sql<KeyRow>`SELECT ${COLUMNS} FROM api_keys WHERE key_id = ${keyId}::uuid`.execute(
    db,
  );
  const [row] = rows;
  return row === undefined ? null : toRecord(row);
}

/** Keys, the newest first; of one namespace, or all. */
export async function listApiKeys(
  db: Db,
  filter: { readonly namespace?: string },
  page: LedgerPageRequest,
): Promise<LedgerPage<ApiKeyRecord>> {
  const own = filter.namespace === undefined ? sql`true` : sql`namespace = ${filter.namespace}`;
  const older = page.before === undefined ? sql`true` : sql`key_id < ${page.before}::uuid`;
  const found = sql<KeyRow>`
    SELECT ${COLUMNS} FROM api_keys WHERE ${own} AND ${older}
    ORDER BY key_id DESC LIMIT ${page.limit + 1}::integer OFFSET ${page.offset ?? 0}::integer`.execute(db);
  const matching = sql`(SELECT 1 FROM api_keys WHERE ${own} LIMIT ${COUNTED_ROWS}::integer)`;
  return ledgerPage(
    db,
    found.then(({ rows }) => rows),
    matching,
    page.limit,
    toRecord,
  );
}

/** Null for a key that is not there or was revoked before. */
export async function revokeApiKey(db: Db, keyId: string, by: string): Promise<ApiKeyRecord | null> {
  const { rows } = await sql<KeyRow>`
    UPDATE api_keys SET revoked_at = now(), revoked_by = ${by}
    WHERE key_id = ${keyId}::uuid AND revoked_at IS NULL RETURNING ${COLUMNS}`.execute(db);
  const [row] = rows;
  return row === undefined ? null : toRecord(row);
}

/**
 * Gives a key another secret; the one before is good for `graceSeconds` (0: not at all), the one before that no more. Null
 * for a key that is not there, revoked or expired.
 */
export async function rotateApiKey(
  db: Db,
  keyId: string,
  hash: Buffer,
  graceSeconds: number,
): Promise<ApiKeyRecord | null> {
  const grace = sql`${graceSeconds}::integer`;
  const { rows } = await sql<KeyRow>`
    UPDATE api_keys SET secret_hash = ${hash}::bytea, rotated_at = now(),
      previous_hash = CASE WHEN ${grace} > 0 THEN secret_hash END,
      previous_until = CASE WHEN ${grace} > 0 THEN now() + ${grace} * interval '1 second' END
    WHERE key_id = ${keyId}::uuid AND revoked_at IS NULL AND COALESCE(expires_at > now(), true)
    RETURNING ${COLUMNS}`.execute(db);
  const [row] = rows;
  return row === undefined ? null : toRecord(row);
}

/** Lets a key expire at another time, which may be past; null: never. Null for a key that is not there or revoked. */
export async function expireApiKey(
  db: Db,
  keyId: string,
  expiresAt: Date | null,
): Promise<ApiKeyRecord | null> {
  const { rows } = await sql<KeyRow>`
    UPDATE api_keys SET expires_at = ${expiresAt}::timestamptz
    WHERE key_id = ${keyId}::uuid AND revoked_at IS NULL RETURNING ${COLUMNS}`.execute(db);
  const [row] = rows;
  return row === undefined ? null : toRecord(row);
}

interface FactsRow {
  key_id: string;
  name: string;
  scopes: Scope[];
  namespace: string | null;
  secret_hash: Buffer;
  previous_hash: Buffer | null;
  previous_for_ms: number | null;
  expires_in_ms: number | null;
  revoked: boolean;
}

/** What decides about a request; null for an id that is not there. */
export async function apiKeyFacts(db: Queryable, keyId: string): Promise<KeyFacts | null> {
  const { rows } = await db.query<FactsRow>({
    name: 'spine_api_key_facts',
    text: `SELECT key_id, name, scopes, namespace, secret_hash, previous_hash,
  (extract(epoch FROM previous_until - now()) * 1000)::float8 AS previous_for_ms,
  (extract(epoch FROM expires_at - now()) * 1000)::float8 AS expires_in_ms, revoked_at IS NOT NULL AS revoked
FROM api_keys WHERE key_id = $1::uuid`,
    values: [keyId],
  });
  const [row] = rows;
  if (row === undefined) return null;
  return {
    keyId: row.key_id,
    name: row.name,
    scopes: row.scopes,
    namespace: row.namespace,
    hash: row.secret_hash,
    previousHash: row.previous_hash,
    previousForMs: row.previous_for_ms,
    expiresInMs: row.expires_in_ms,
    revoked: row.revoked,
  };
}

/** Notes that a key was used, at most once a minute. */
export async function touchApiKey(db: Queryable, keyId: string): Promise<void> {
  await db.query({
    name: 'spine_touch_api_key',
    text: `UPDATE api_keys SET last_used_at = now()
WHERE key_id = $1::uuid AND COALESCE(last_used_at < now() - interval '1 minute', true)`,
    values: [keyId],
  });
}
