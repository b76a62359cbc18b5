/** A database that began with the second form of 0001 ends with the schema of one that began with the first. */
import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { sha256Hex } from '@spine/core';
import { createPool, runMigrations } from '@spine/database';
import { createEmptyDatabase } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';

const SECOND_FORM = readFileSync(new URL('fixtures/0001_runs_second_form.sql', import.meta.url), 'utf8');

const databases: TestDatabase[] = [];
beforeEach(async () => {
  databases.push(await createEmptyDatabase(), await createEmptyDatabase());
});
afterEach(async () => {
  await Promise.all(databases.splice(0).map((database) => database.drop()));
});

/** Columns, constraints, indexes and triggers of every table, as Postgres writes them. */
async function schemaOf(connectionString: string): Promise<unknown> {
  const pool = createPool({ connectionString, role: null, max: 1 });
  try {
    const { rows } = await pool.query(`
      SELECT conrelid::regclass::text AS of, conname AS name, pg_get_constraintdef(oid) AS def
        FROM pg_constraint WHERE connamespace = 'public'::regnamespace
      UNION ALL SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = 'public'
      UNION ALL SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
      UNION ALL SELECT table_name, column_name, data_type || ' ' || is_nullable || ' ' || COALESCE(column_default, '')
        FROM information_schema.columns WHERE table_schema = 'public'
      ORDER BY 1, 2, 3`);
    return rows;
  } finally {
    await pool.end();
  }
}

it('brings both forms of 0001 to one schema', async () => {
  const [first, second] = databases;
  if (first === undefined || second === undefined) throw new Error('no databases');
  await runMigrations(first);
  const pool = createPool({ connectionString: second.connectionString, role: null, max: 1 });
  await pool.query(SECOND_FORM);
  await pool.query(`CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now())`);
  await pool.query(
    `INSERT INTO schema_migrations (version, name, checksum) VALUES (1, '0001_runs.sql', $1)`,
    [sha256Hex(SECOND_FORM)],
  );
  await pool.end();
  await runMigrations(second);
  expect(await schemaOf(second.connectionString)).toEqual(await schemaOf(first.connectionString));
});
