import { Kysely, PostgresDialect, sql } from 'kysely';
import type { RawBuilder, Transaction } from 'kysely';
import { withCopy } from './copy-pool.ts';
import type { Pool, Queryable } from './pool.ts';
import type { Database } from './schema.ts';

export type Db = Kysely<Database>;
export type DbTransaction = Transaction<Database>;

/** A query builder over a pool. Destroying it ends the pool. */
export function createDb(pool: Pool): Db {
  return new Kysely<Database>({ dialect: new PostgresDialect({ pool: withCopy(pool) }) });
}

/**
 * Lets the prepared statements of the hot path run inside a Kysely transaction, on its connection. The statements'
 * names are ignored there: Kysely decides about preparing.
 */
export function asQueryable(db: Db | DbTransaction): Queryable {
  return {
    async query(config) {
      const values: readonly unknown[] = config.values ?? [];
      const compiled = sql.raw<never>(config.text).compile(db);
      const { rows } = await db.executeQuery<never>({ ...compiled, parameters: values });
      return { rows, rowCount: rows.length, command: '', oid: 0, fields: [] };
    },
  };
}

/** `value` as a jsonb parameter. The driver would send an array as a Postgres array otherwise. */
export function jsonb(value: unknown): RawBuilder<string> {
  return sql<string>`${JSON.stringify(value)}::jsonb`;
}
