/**
 * Reading facts as they were believed. `systemAt` null means now. An answer for an instant of the past is final as soon as
 * the transactions that were under way at that instant are over.
 */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { FACT_COLUMNS, toFact } from './bitemporal-record.ts';
import type { Fact, FactRow } from './bitemporal-record.ts';

export interface FactPoint {
  readonly domain: string;
  readonly factKey: string;
  /** The instant asked about. */
  readonly validAt: Date;
  /** The instant whose knowledge is asked for; null for now. */
  readonly systemAt: Date | null;
}

const COLUMNS = sql.join(FACT_COLUMNS.map((column) => sql.ref(`f.${column}`)));

/** The system interval holds the instant. An open interval holds infinity, a closed one does not. */
function believedAt(systemAt: Date | null): RawBuilder<boolean> {
  return sql`tstzrange(f.system_from, f.system_to) @> ${systemAt ?? 'infinity'}::timestamptz`;
}

/** What was believed at `systemAt` about `validAt`; null when nothing was. */
export async function factAsOf(db: Db | DbTransaction, point: FactPoint): Promise<Fact | null> {
  const { rows } = await sql<FactRow>`
    SELECT ${COLUMNS} FROM bitemporal_facts f
    WHERE f.domain = ${point.domain} AND f.fact_key = ${point.factKey}
      AND tstzrange(f.valid_from, f.valid_to) @> ${point.validAt}::timestamptz AND ${believedAt(point.systemAt)}`.execute(
    db,
  );
  const row = rows[0];
  return row === undefined ? null : toFact(row);
}

export interface FactsAsOf {
  readonly domain: string;
  readonly validAt: Date;
  readonly systemAt: Date | null;
  /** Only keys after this one; null from the beginning. */
  readonly afterKey: string | null;
  /** Facts at the most. */
  readonly limit: number;
}

/** What was believed at `systemAt` about `validAt`, key by key in byte order, one page. */
export async function factsAsOf(db: Db | DbTransaction, request: FactsAsOf): Promise<Fact[]> {
  const { rows } = await sql<FactRow>`
    SELECT ${COLUMNS} FROM bitemporal_keys k CROSS JOIN LATERAL (
      SELECT * FROM bitemporal_facts f
      WHERE f.domain = k.domain AND f.fact_key = k.fact_key
        AND tstzrange(f.valid_from, f.valid_to) @> ${request.validAt}::timestamptz AND ${believedAt(request.systemAt)}
      LIMIT 1
    ) f
    WHERE k.domain = ${request.domain} AND k.fact_key > ${request.afterKey ?? ''}
    ORDER BY k.fact_key LIMIT ${request.limit}`.execute(db);
  return rows.map(toFact);
}

/** All that was believed of a key at `systemAt`, interval by interval. @param limit intervals at the most. */
export async function factTimeline(
  db: Db | DbTransaction,
  key: { readonly domain: string; readonly factKey: string; readonly systemAt: Date | null },
  limit: number,
): Promise<Fact[]> {
  const { rows } = await sql<FactRow>`
    SELECT ${COLUMNS} FROM bitemporal_facts f
    WHERE f.domain = ${key.domain} AND f.fact_key = ${key.factKey} AND ${believedAt(key.systemAt)}
    ORDER BY f.valid_from LIMIT ${limit}`.execute(db);
  return rows.map(toFact);
}

/** Every belief about a key, closed ones too, oldest change first. @param afterFactId where the page begins; null at the beginning. */
export async function factHistory(
  db: Db | DbTransaction,
  key: { readonly domain: string; readonly factKey: string },
  afterFactId: number | null,
  limit: number,
): Promise<Fact[]> {
  const rows = await db
    .selectFrom('bitemporal_facts')
    .select([...FACT_COLUMNS])
    .where('domain', '=', key.domain)
    .where('fact_key', '=', key.factKey)
    .where('fact_id', '>', afterFactId ?? 0)
    .orderBy('fact_id')
    .limit(limit)
    .execute();
  return rows.map(toFact);
}

/** How often what is known of a key has changed; 0 for a key nobody has written. For `expectedVersion`. */
export async function factVersion(
  db: Db | DbTransaction,
  key: { readonly domain: string; readonly factKey: string },
): Promise<number> {
  const row = await db
    .selectFrom('bitemporal_keys')
    .select('version')
    .where('domain', '=', key.domain)
    .where('fact_key', '=', key.factKey)
    .executeTakeFirst();
  return row?.version ?? 0;
}
