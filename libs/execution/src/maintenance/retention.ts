/**
 * Deletes finished runs that are older than a period, with what belongs to them.
 *
 * 1. What may go is decided by the database, row by row; see `spine_purge_runs` in migration 0007.
 * 2. One small batch a transaction, and after each a pause at least as long as it took: whatever there is to delete, the
 *    disk and the processors are free for claims half of the time.
 * 3. A sweep goes through the runs once, oldest first. What it cannot delete (a pending dead letter keeps its run) is
 *    looked at again by the next sweep, not by the next batch.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { FIRST_RUN_ID, purgeRuns } from '@spine/database';
import type { PurgedBatch, Queryable } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import { Ticker } from './ticker.ts';

export interface RetentionOptions {
  readonly pool: Queryable;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Runs that ended longer ago than this many days are deleted; at least 1. */
  readonly days: number;
  /** Between two sweeps. Default 10 minutes. */
  readonly everyMs?: number;
  /** Runs looked at by one statement, 1 to 5,000. Default 1,000. */
  readonly batch?: number;
}

const EVERY_MS = 600_000;
const BATCH = 1_000;

/** The service that keeps the history as short as it is told to. Several may run: none waits for another. */
export function createRetention(options: RetentionOptions): Ticker {
  const { pool, logger, metrics, days, batch = BATCH } = options;
  let after = FIRST_RUN_ID;
  let deleted = 0;
  return new Ticker({
    name: 'retention',
    everyMs: options.everyMs ?? EVERY_MS,
    logger,
    tick: async (signal) => {
      const from = performance.now();
      const purged = await purgeRuns(pool, { olderThanDays: days, afterRunId: after, batch });
      count(metrics, purged);
      deleted += purged.runs;
      if (purged.lastRunId === null) {
        if (deleted > 0) logger.info({ runs: deleted, older_than_days: days }, 'old runs deleted');
        after = FIRST_RUN_ID;
        deleted = 0;
        return false;
      }
      after = purged.lastRunId;
      await sleep(performance.now() - from, undefined, { signal }).catch(() => undefined);
      return true;
    },
  });
}

function count(metrics: Metrics, purged: PurgedBatch): void {
  metrics.purged.inc({ table: 'runs' }, purged.runs);
  metrics.purged.inc({ table: 'run_events' }, purged.events);
  metrics.purged.inc({ table: 'run_logs' }, purged.logs);
  metrics.purged.inc({ table: 'run_payloads' }, purged.payloads);
  metrics.purged.inc({ table: 'dead_letters' }, purged.deadLetters);
}
