/** What a database has applied, and what it lacks. Changes nothing. */
import { findMigrationsDir, readMigrations } from './files.ts';
import { planMigrations } from './plan.ts';
import type { AppliedMigration, MigrationPlan } from './plan.ts';
import type { Queryable } from '../sql/pool.ts';

export interface DatedMigration extends AppliedMigration {
  readonly appliedAt: Date;
}

export interface MigrationStatus {
  /** In their order; empty for a database that was never migrated. */
  readonly applied: readonly DatedMigration[];
  /** What `runMigrations` would do now, or why it would refuse. */
  readonly plan: MigrationPlan;
}

interface LedgerRow extends AppliedMigration {
  applied_at: Date;
}

/**
 * @param dir default: the project's `migrations` folder
 * @throws ConfigError for a folder that cannot be used, and the driver's error when the database does not answer.
 */
export async function migrationStatus(db: Queryable, dir?: string): Promise<MigrationStatus> {
  const files = readMigrations(dir ?? findMigrationsDir());
  const ledger = await db.query<{ present: boolean }>({
    text: `SELECT to_regclass('schema_migrations') IS NOT NULL AS present`,
  });
  if (ledger.rows[0]?.present !== true) return { applied: [], plan: planMigrations(files, []) };
  const { rows } = await db.query<LedgerRow>({
    text: 'SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version',
  });
  return {
    applied: rows.map(({ applied_at: appliedAt, ...migration }) => ({ ...migration, appliedAt })),
    plan: planMigrations(files, rows),
  };
}
