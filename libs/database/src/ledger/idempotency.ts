/**
 * Writing rows so that a run may be repeated: by hash (L2) and by logical key (L3).
 *
 * 1. Deleting the rows of a key and writing the new ones is one transaction: a crash in between leaves the old rows.
 * 2. Replacements of one key of one table take turns. A lock is taken before the rows are looked for, because a DELETE
 *    does not see what another transaction is about to commit: without turns the rows of both would stay.
 * 3. The turn helps only where each statement sees what was committed before it. In any isolation but READ COMMITTED the
 *    DELETE would look at a state from before its turn; that is refused.
 * 4. A row of a key is written under that key: what carries other values is refused, because nothing would replace it.
 * 5. Of two transactions that append the same hash one waits for the other (unique index) and then skips the row.
 */
import { sql } from 'kysely';
import { InvariantError, invariant, ValidationError } from '@spine/core';
import type { LogicalKey } from '@spine/core';
import { textArray } from '../sql/arrays.ts';
import { atomically } from '../sql/atomically.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { rowsJson } from './data-table.ts';
import type { DataRow, DataTable } from './data-table.ts';

/** Rows and hashes in one statement. */
const PAGE = 1_000;

export interface Replaced {
  readonly deleted: number;
  readonly inserted: number;
}

export interface Appended {
  readonly inserted: number;
  /** Rows whose hash was there, or came earlier in the same call. */
  readonly skipped: number;
}

/**
 * L3: deletes the rows of `key` and writes `rows` in their place, in the caller's transaction. No rows empties the key.
 * The turn lasts until that transaction ends: for several keys use `replaceForKeys`.
 *
 * Throws ValidationError for rows that are not of the table or the key (nothing is written), InvariantError in a
 * transaction that is not READ COMMITTED.
 */
export async function replaceForKey<C extends string, K extends C>(
  trx: DbTransaction,
  table: DataTable<C, K>,
  key: LogicalKey<K>,
  rows: readonly DataRow<C>[],
): Promise<Replaced> {
  const pages = pagesOf(rows).map(({ page, at }) => rowsJson(table, page, at, key));
  const deleted = await deleteForKey(trx, table, key);
  for (const json of pages) await insertSql(table, json, null).execute(trx);
  return { deleted, inserted: rows.length };
}

/**
 * `replaceForKey` for several keys, in one order whatever order they are given in: two transactions that each held what
 * the other waits for would end in a deadlock. Answers with the sums. Throws as `replaceForKey` does, and ValidationError
 * for a key that occurs twice: its second rows would delete the first ones.
 */
export async function replaceForKeys<C extends string, K extends C>(
  trx: DbTransaction,
  table: DataTable<C, K>,
  states: Iterable<{ readonly key: LogicalKey<K>; readonly rows: readonly DataRow<C>[] }>,
): Promise<Replaced> {
  const ordered = [...states].sort((a, b) => (a.key.text < b.key.text ? -1 : 1));
  const twice = ordered.find(({ key }, index) => ordered[index + 1]?.key.equals(key));
  if (twice !== undefined) {
    throw new ValidationError(`key: ${twice.key.text} occurs twice; allowed is each key once`);
  }
  let [deleted, inserted] = [0, 0];
  for (const { key, rows } of ordered) {
    const replaced = await replaceForKey(trx, table, key, rows);
    deleted += replaced.deleted;
    inserted += replaced.inserted;
  }
  return { deleted, inserted };
}

/**
 * Takes the turn of `key` and deletes its rows; answers how many there were. For callers that write the new rows
 * themselves, in the same transaction (a COPY, a SELECT): `replaceForKey` does the rest otherwise.
 */
export async function deleteForKey<C extends string, K extends C>(
  trx: DbTransaction,
  table: DataTable<C, K>,
  key: LogicalKey<K>,
): Promise<number> {
  await takeTurn(trx, table, key);
  const conditions = key.entries().map(([column, value]) => sql`${sql.ref(column)} = ${value}`);
  const result =
    await sql`DELETE FROM ${sql.table(table.name)} WHERE ${sql.join(conditions, sql` AND `)}`.execute(trx);
  return Number(result.numAffectedRows ?? 0n);
}

/**
 * L2: appends the rows whose hash is not there yet. The unique index on the hash decides, so any number may append at
 * once; all or none of them. Throws ValidationError for rows that are not of the table or have no hash.
 */
export async function appendByHash<C extends string, K extends C>(
  db: Db | DbTransaction,
  table: DataTable<C, K>,
  rows: readonly DataRow<C>[],
): Promise<Appended> {
  const hashColumn = hashColumnOf(table);
  const bare = rows.findIndex((row) => typeof row[hashColumn] !== 'string');
  if (bare >= 0) {
    throw new ValidationError(`rows[${bare}].${hashColumn}: it is no hash; allowed is text`);
  }
  const pages = pagesOf(rows).map(({ page, at }) => rowsJson(table, page, at, null));
  return atomically(db, async (trx) => {
    let inserted = 0;
    for (const json of pages) {
      const result = await insertSql(table, json, hashColumn).execute(trx);
      inserted += Number(result.numAffectedRows ?? 0n);
    }
    return { inserted, skipped: rows.length - inserted };
  });
}

/** Whether a row with this hash is there. What is about to be written is better left to `appendByHash`. */
export async function hashExists<C extends string, K extends C>(
  db: Db | DbTransaction,
  table: DataTable<C, K>,
  hash: string,
): Promise<boolean> {
  return (await existingHashes(db, table, [hash])).has(hash);
}

/**
 * Those of `hashes` that are there: asked for a page at a time, so that neither the table nor a statement of any size is
 * held in memory. Another transaction may add more at any time.
 */
export async function existingHashes<C extends string, K extends C>(
  db: Db | DbTransaction,
  table: DataTable<C, K>,
  hashes: readonly string[],
): Promise<ReadonlySet<string>> {
  const existing = new Set<string>();
  for (const { page } of pagesOf(hashes)) {
    const { rows } = await existingHashesSql(table, page).execute(db);
    for (const { hash } of rows) existing.add(hash);
  }
  return existing;
}

/** The statement of {@link existingHashes}. */
export function existingHashesSql<C extends string, K extends C>(
  table: DataTable<C, K>,
  hashes: readonly string[],
) {
  const column = sql.ref(hashColumnOf(table));
  return sql<{ hash: string }>`
    SELECT ${column} AS hash FROM ${sql.table(table.name)} WHERE ${column} = ANY(${textArray(hashes)}::text[])`;
}

async function takeTurn(
  trx: DbTransaction,
  table: { readonly name: string },
  key: LogicalKey,
): Promise<void> {
  const name = `spine_replace:${table.name}:${key.text}`;
  const { rows } = await sql<{ isolation: string }>`
    SELECT current_setting('transaction_isolation') AS isolation, pg_advisory_xact_lock(hashtextextended(${name}, 0))`.execute(
    trx,
  );
  const isolation = rows[0]?.isolation;
  if (isolation !== 'read committed') {
    throw new InvariantError(
      `a key is replaced in a READ COMMITTED transaction, not in ${isolation ?? 'none'}`,
    );
  }
}

/** @param skipOn the column whose duplicates are left out. */
function insertSql(
  table: { readonly name: string; readonly columns: readonly string[] },
  json: string,
  skipOn: string | null,
) {
  const name = sql.table(table.name);
  const columns = sql.join(table.columns.map((column) => sql.ref(column)));
  const conflict = skipOn === null ? sql`` : sql` ON CONFLICT (${sql.ref(skipOn)}) DO NOTHING`;
  return sql`INSERT INTO ${name} (${columns})
    SELECT ${columns} FROM jsonb_populate_recordset(NULL::${name}, ${json}::jsonb)${conflict}`;
}

function hashColumnOf<C extends string, K extends C>({ name, hashColumn }: DataTable<C, K>): C {
  invariant(hashColumn !== null, `${name} declares no hash column`);
  return hashColumn;
}

function pagesOf<T>(items: readonly T[]): { readonly page: readonly T[]; readonly at: number }[] {
  const pages: { page: readonly T[]; at: number }[] = [];
  for (let at = 0; at < items.length; at += PAGE) pages.push({ page: items.slice(at, at + PAGE), at });
  return pages;
}
