/** Relay, reaper and housekeeping: see libs/database/src/runs/maintain.ts for why no run is forgotten. */
import { deleteStaleWorkers, expireRuns, reapRuns, takeDueForHint } from '@spine/database';
import type { Queryable } from '@spine/database';
import type { Logger, Metrics } from '@spine/observability';
import type { HintPublisher } from '../dispatch/hint-publisher.ts';
import type { HintQueue } from '../queue/port.ts';
import { spreadMs } from './spread.ts';
import { Ticker } from './ticker.ts';

export interface MaintenanceOptions {
  readonly pool: Queryable;
  readonly publisher: HintPublisher;
  readonly queue: HintQueue;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly lanes: readonly string[];
  /** Default 1 s. */
  readonly relayMs?: number;
  /** Default 1 s. */
  readonly reaperMs?: number;
}

const BATCH = 500;

/** Hints runs that are due and that no hint has reached. */
export function createRelay(options: MaintenanceOptions): Ticker {
  const { pool, publisher, logger, metrics } = options;
  return new Ticker({
    name: 'relay',
    everyMs: options.relayMs ?? 1_000,
    logger,
    tick: async () => {
      // With the queue down the runs stay due, and the workers' poll finds them.
      if (!publisher.available) return false;
      const due = await takeDueForHint(pool, BATCH);
      if (due.length > 0) {
        metrics.hints.inc({ event: 'relayed' }, due.length);
        publisher.announce(due.map((run) => ({ ...run, delayMs: spreadMs(run.crashCount, Math.random()) })));
        await publisher.drain();
      }
      // Up to a batch of every lane: more may be due in one of them.
      return due.length >= BATCH;
    },
  });
}

/** Takes runs from workers whose lease or whose run's deadline is over, and ends waiting runs whose time is. */
export function createReaper(options: MaintenanceOptions): Ticker {
  const { pool, logger, metrics } = options;
  return new Ticker({
    name: 'reaper',
    everyMs: options.reaperMs ?? 1_000,
    logger,
    tick: async () => {
      const reaped = await reapRuns(pool, BATCH);
      for (const run of reaped) {
        const reason = run.crashed ? 'lease_expired' : 'timed_out';
        metrics.reaped.inc({ reason });
        if (run.status === 'dead_lettered') metrics.deadLetters.inc({ source: 'reaper' });
        logger.warn({ run_id: run.runId, status: run.status, reason }, 'run reaped');
      }
      const expired = await expireRuns(pool, BATCH);
      metrics.reaped.inc({ reason: 'expired' }, expired.length);
      const lateOnes = expired.filter(({ status }) => status === 'dead_lettered');
      metrics.deadLetters.inc({ source: 'expiry' }, lateOnes.length);
      return reaped.length === BATCH || expired.length === BATCH;
    },
  });
}

/** Forgets workers that have been silent for a day, and gives hints of dead consumers back. */
export function createHousekeeping(options: MaintenanceOptions): Ticker {
  const { pool, queue, lanes, logger } = options;
  return new Ticker({
    name: 'housekeeping',
    everyMs: 60_000,
    logger,
    tick: async () => {
      await queue.recoverStalled(lanes);
      await deleteStaleWorkers(pool);
      return false;
    },
  });
}
