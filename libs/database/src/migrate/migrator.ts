/**
 * The migrator.
 *
 * 1. Each migration and its row in `schema_migrations` commit together.
 * 2. Any number of processes may migrate at once: a transaction-level advisory lock lets one work, and what is
 *    pending is decided under that lock. Session locks would leak through transaction poolers.
 * 3. An edited or unknown migration stops everything before anything is written.
 */
import pg from 'pg';
import { assertNever, ConfigError } from '@spine/core';
import { findMigrationsDir, readMigrations } from './files.ts';
import type { MigrationFile } from './files.ts';
import { planMigrations } from './plan.ts';
import type { AppliedMigration, MigrationPlan } from './plan.ts';

export interface MigrateOptions {
  /** The migrating user owns the tables and may create roles; see docs/database.md. */
  readonly connectionString: string;
  /** Default: the project's `migrations` folder. */
  readonly dir?: string;
  /** Told before each migration is applied. */
  readonly onApply?: (name: string) => void;
}

export interface MigrationReport {
  /** Names applied by this call, in order. */
  readonly applied: readonly string[];
  /** The version the database is at now. */
  readonly version: number;
}

/** Locks out other migrators of the same database: "spine" in ASCII. */
const ADVISORY_LOCK = 0x73_70_69_6e;

const LEDGER = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version    integer     PRIMARY KEY,
  name       text        NOT NULL,
  checksum   text        NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
)`;

function pendingOf(plan: MigrationPlan): readonly MigrationFile[] {
  switch (plan.type) {
    case 'apply':
      return plan.pending;
    case 'edited':
      throw new ConfigError(
        `migration ${plan.name} was changed after it was applied; restore it and write a new migration instead`,
      );
    case 'unknown':
      throw new ConfigError(
        `the database has migration ${plan.name}, which this version does not know; deploy a newer one`,
      );
    default:
      return assertNever(plan);
  }
}

/**
 * Brings a database up to the newest migration.
 *
 * @throws ConfigError when an applied migration was edited, or the database is newer than this code.
 */
export async function runMigrations(options: MigrateOptions): Promise<MigrationReport> {
  const files = readMigrations(options.dir ?? findMigrationsDir());
  const client = new pg.Client({
    connectionString: options.connectionString,
    application_name: 'spine-migrate',
    options: '-c timezone=UTC',
  });
  await client.connect();
  try {
    const applied: string[] = [];
    for (;;) {
      const name = await applyNext(client, files, options.onApply);
      if (name === null) return { applied, version: files.length };
      applied.push(name);
    }
  } finally {
    await client.end();
  }
}

/** Applies the first pending migration under the lock; `null` when there is none. */
async function applyNext(
  client: pg.Client,
  files: readonly MigrationFile[],
  onApply: MigrateOptions['onApply'],
): Promise<string | null> {
  await client.query('BEGIN');
  try {
    await client.query('SELECT pg_advisory_xact_lock($1)', [ADVISORY_LOCK]);
    await client.query(LEDGER);
    const { rows } = await client.query<AppliedMigration>(
      'SELECT version, name, checksum FROM schema_migrations ORDER BY version',
    );
    const next = pendingOf(planMigrations(files, rows))[0];
    if (next === undefined) {
      await client.query('COMMIT');
      return null;
    }
    onApply?.(next.name);
    await client.query(next.sql);
    await client.query('INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)', [
      next.version,
      next.name,
      next.checksum,
    ]);
    await client.query('COMMIT');
    return next.name;
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
