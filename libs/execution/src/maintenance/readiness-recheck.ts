/** Looks again at partitions that are said to be ready, so that one that is not any more does not stay so. */
import { recheckReadiness } from '@spine/database';
import type { Db } from '@spine/database';
import type { Logger } from '@spine/observability';
import { Ticker } from './ticker.ts';

export interface ReadinessRecheckOptions {
  readonly db: Db;
  readonly logger: Logger;
  /** Between two rounds. Default 10 s. */
  readonly everyMs?: number;
  /** Verdicts younger than this are left alone. Default an hour. */
  readonly olderThanMs?: number;
}

/** Of one round: what it costs is bounded, however many partitions are ready. */
const BATCH = 100;

export function createReadinessRecheck(options: ReadinessRecheckOptions): Ticker {
  const { db, logger, everyMs = 10_000, olderThanMs = 3_600_000 } = options;
  return new Ticker({
    name: 'readiness-recheck',
    everyMs,
    logger,
    tick: async () => {
      const { revoked } = await recheckReadiness(db, { olderThanMs, limit: BATCH });
      for (const { domain, partitionKey, readyFor, blocking } of revoked) {
        const reasons = blocking.map(({ code }) => code);
        logger.warn(
          { domain, partition_key: partitionKey, ready_for: readyFor, reasons },
          'not ready any more',
        );
      }
      return false;
    },
  });
}
