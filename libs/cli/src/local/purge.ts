/**
 * `spine db purge`: deletes what is old, or says what would go. What may go is decided by the database's own functions
 * (docs/retention.md); here is only asked, batch by batch, so that it can be ended at any time.
 */
import { assertNever, checkRetention, ConfigError, isPurgeable } from '@spine/core';
import {
  asQueryable,
  countPurgeableDeadLetters,
  createDb,
  createPool,
  FIRST_RUN_ID,
  ledgerEligible,
  purgeableRuns,
  purgeDeadLetters,
  purgeLedger,
  purgeRuns,
} from '@spine/database';
import type { Db } from '@spine/database';
import type { CliContext } from '../frame/context.ts';
import { EXIT } from '../frame/exit-codes.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import type { PurgeTable } from './purge-tables.ts';
import { isNotThere } from './schema-fault.ts';
import type { LocalDatabase } from './target.ts';

/** Rows one statement looks at. */
const BATCH = 1_000;

export interface PurgeOptions {
  readonly table: PurgeTable;
  readonly olderThanDays: number;
  readonly dryRun: boolean;
  /** Without being asked. */
  readonly yes: boolean;
}

interface Eligible {
  readonly rows: number;
  readonly isCapped: boolean;
}

async function eligibleOf(db: Db, { table, olderThanDays }: PurgeOptions): Promise<Eligible> {
  if (table === 'runs') {
    const { eligible, eligibleIsCapped } = await purgeableRuns(asQueryable(db), olderThanDays);
    return { rows: eligible, isCapped: eligibleIsCapped };
  }
  if (table === 'dead_letters') {
    return { rows: await countPurgeableDeadLetters(db, olderThanDays), isCapped: false };
  }
  const { eligible, eligibleIsCapped } = await ledgerEligible(db, table, olderThanDays);
  return { rows: eligible, isCapped: eligibleIsCapped };
}

/** How many rows each batch has deleted. */
async function* batches(db: Db, { table, olderThanDays }: PurgeOptions): AsyncGenerator<number> {
  if (table === 'runs') {
    for (let after: string | null = FIRST_RUN_ID; after !== null;) {
      const purged = await purgeRuns(asQueryable(db), { olderThanDays, afterRunId: after, batch: BATCH });
      yield purged.runs;
      after = purged.lastRunId;
    }
  } else if (table === 'dead_letters') {
    for (let deleted = BATCH; deleted === BATCH;) {
      deleted = await purgeDeadLetters(db, olderThanDays, BATCH);
      yield deleted;
    }
  } else if (isPurgeable(table)) {
    for (let after: number | null = null, more = true; more;) {
      const purged = await purgeLedger(db, { table, olderThanDays, after, batch: BATCH });
      yield purged.deleted;
      after = purged.last;
      more = after !== null;
    }
  } else assertNever(table);
}

/** @throws RetentionPolicyError for a period that the table's rule does not allow; then nothing was deleted */
export async function purgeDatabase(
  { connectionString, address }: LocalDatabase,
  options: PurgeOptions,
  context: CliContext,
): Promise<ExitCode> {
  const { table, olderThanDays, dryRun, yes } = options;
  const { out, notices, signal } = context;
  if (isPurgeable(table)) checkRetention(table, olderThanDays);
  const db = createDb(createPool({ connectionString, max: 1, applicationName: 'spine-db-purge' }));
  try {
    const { rows, isCapped } = await eligibleOf(db, options);
    const found = { table, older_than_days: olderThanDays, eligible: rows, eligible_is_capped: isCapped };
    const what = `${rows}${isCapped ? ' or more' : ''} rows of ${table} older than ${olderThanDays} days in ${address}`;
    if (dryRun || rows === 0) {
      await out.answer(
        { ...found, dry_run: dryRun, deleted: 0 },
        () => `${what} may go; nothing was deleted\n`,
      );
      return EXIT.ok;
    }
    if (!(await context.confirm(`Delete ${what}?`, yes))) {
      await out.answer({ ...found, dry_run: false, deleted: 0 }, () => 'nothing was deleted\n');
      return EXIT.refused;
    }
    let deleted = 0;
    for await (const more of batches(db, options)) {
      deleted += more;
      notices.progress(`${deleted} deleted`);
      if (signal.aborted) break;
    }
    notices.done();
    await out.answer({ ...found, dry_run: false, deleted }, () => `${deleted} rows of ${table} deleted\n`);
    signal.throwIfAborted();
    return EXIT.ok;
  } catch (error) {
    if (!isNotThere(error)) throw error;
    throw new ConfigError(`the schema of ${address} is not up to date: run spine db migrate first`, {
      cause: error,
    });
  } finally {
    await db.destroy();
  }
}
