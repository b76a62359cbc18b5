/**
 * Deletes what is old of the data ledger, where a policy says so.
 *
 * 1. What may go is decided by the database; see `spine_purge_ledger` in migration 0011. Rejects, anomalies and facts stay.
 * 2. One small batch a transaction, and after each a pause at least as long as it took.
 * 3. A sweep goes through each table once, in the order of the policy. Several services may sweep: none waits for another.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { PurgeableTable, RetentionPolicy } from '@spine/core';
import { purgeLedger } from '@spine/database';
import type { Db } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import { Ticker } from './ticker.ts';

export interface LedgerRetentionOptions {
  readonly db: Db;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly policy: RetentionPolicy;
  /** Between two sweeps. Default 6 hours: periods are months and years. */
  readonly everyMs?: number;
  /** Rows looked at by one statement, 1 to 5,000. Default 1,000. */
  readonly batch?: number;
}

const EVERY_MS = 6 * 3_600_000;
const BATCH = 1_000;

interface Place {
  readonly table: PurgeableTable;
  readonly after: number | null;
}

/** The service that keeps the ledger as short as its policy says. */
export function createLedgerRetention(options: LedgerRetentionOptions): Ticker {
  const { db, logger, metrics, policy, batch = BATCH } = options;
  const tables = [...policy.keys()];
  let place: Place | null = null;
  let deleted = 0;
  return new Ticker({
    name: 'ledger-retention',
    everyMs: options.everyMs ?? EVERY_MS,
    logger,
    tick: async (signal) => {
      place ??= firstOf(tables);
      if (place === null) return false;
      const { table, after }: Place = place;
      const from = performance.now();
      const purged = await purgeLedger(db, { table, olderThanDays: policy.get(table) ?? 0, after, batch });
      metrics.purged.inc({ table }, purged.deleted);
      deleted += purged.deleted;
      if (purged.last === null) {
        if (deleted > 0) logger.info({ table, rows: deleted }, 'old rows of the ledger deleted');
        deleted = 0;
        place = firstOf(tables.slice(tables.indexOf(table) + 1));
      } else {
        place = { table, after: purged.last };
      }
      await sleep(performance.now() - from, undefined, { signal }).catch(() => undefined);
      return place !== null;
    },
  });
}

function firstOf(tables: readonly PurgeableTable[]): Place | null {
  const [table] = tables;
  return table === undefined ? null : { table, after: null };
}
