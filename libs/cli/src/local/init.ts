/** `spine db init` and `spine db migrate`: makes what is missing, each step safe to repeat and to be made by several at once. */
import { createDatabaseOf, createPool, databaseExists, migrationStatus } from '@spine/database';
import type { MigrationStatus } from '@spine/database';
import { ConfigError } from '@spine/core';
import type { CliContext } from '../frame/context.ts';
import { prepareQueue } from '../launch/queue.ts';
import { prepareSchema, unusableDatabase } from '../launch/schema.ts';
import type { LocalDatabase } from './target.ts';

export interface InitOptions {
  /** Says what would be done, and does nothing. */
  readonly dryRun: boolean;
  /** Whether a database that is missing is made. */
  readonly createDatabase: boolean;
}

async function pendingOf(connectionString: string): Promise<string[]> {
  const pool = createPool({ connectionString, role: null, max: 1, applicationName: 'spine-db-init' });
  try {
    return pendingNames(await migrationStatus(pool));
  } finally {
    await pool.end();
  }
}

function pendingNames({ plan }: MigrationStatus): string[] {
  if (plan.type === 'apply') return plan.pending.map(({ name }) => name);
  throw new ConfigError(
    plan.type === 'edited'
      ? `migration ${plan.name} was changed after it was applied; restore it and write a new migration instead`
      : `the database has migration ${plan.name}, which this version does not know; deploy a newer one`,
  );
}

/** @throws ConfigError with what to do when the database or the queue cannot be used */
export async function initDatabase(
  { connectionString, address, settings }: LocalDatabase,
  { dryRun, createDatabase }: InitOptions,
  { out, notices }: CliContext,
): Promise<void> {
  const redisUrl = settings.redis.url?.reveal();
  const queue = redisUrl === undefined ? 'Postgres' : 'Redis';
  const isThere = await databaseExists(connectionString).catch((error: unknown) => {
    throw unusableDatabase(connectionString, error);
  });
  if (!isThere && !createDatabase) {
    throw new ConfigError(`the database ${address} does not exist; spine db init makes it`);
  }
  if (dryRun) {
    const pending = isThere ? await pendingOf(connectionString) : null;
    const answer = { dry_run: true, address, creates_database: !isThere, pending, queue };
    const migrations =
      pending === null
        ? 'apply every migration'
        : pending.length === 0
          ? 'apply no migration'
          : `apply ${pending.join(', ')}`;
    const steps = [
      ...(isThere ? [] : [`create the database ${address}`]),
      migrations,
      queue === 'Redis' ? 'check the queue on Redis' : "make or update the queue's tables in Postgres",
    ];
    return out.answer(answer, () => `would ${steps.join(', then ')}; nothing was done\n`);
  }
  const created = !isThere && (await createDatabaseOf(connectionString));
  if (created) notices.say(`created the database ${address}`);
  const report = await prepareSchema(connectionString, (name) => notices.say(`applying ${name}`));
  await prepareQueue({ databaseUrl: connectionString, redisUrl });
  const { applied, version } = report;
  await out.answer(
    { dry_run: false, address, created_database: created, applied, version, queue },
    () => `${address}: schema version ${version}, ${applied.length} applied, queue ready on ${queue}\n`,
  );
}
