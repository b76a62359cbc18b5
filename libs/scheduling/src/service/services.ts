/** What a scheduler process runs for schedules: the tick, and adding to the history how runs ended. */
import { closeEndedScheduleRuns } from '@spine/database';
import type { OpenCursor, Queryable } from '@spine/database';
import { Ticker } from '@spine/execution';
import type { Logger, Metrics } from '@spine/observability';
import { tick } from './tick.ts';
import type { TickDependencies, TickResult } from './tick.ts';

export interface ScheduleTickerOptions extends TickDependencies {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Default 1 s. */
  readonly tickMs?: number;
}

/** Fires what is due. Any number of processes may do it at once. */
export function createScheduleTicker(options: ScheduleTickerOptions): Ticker {
  return new Ticker({
    name: 'schedules',
    everyMs: options.tickMs ?? 1_000,
    logger: options.logger,
    tick: async () => {
      const startedAt = performance.now();
      const result = await tick(options);
      if (result.now !== null) report(result, (performance.now() - startedAt) / 1_000, options);
      return result.more;
    },
  });
}

function report(
  { decisions, broken }: TickResult,
  seconds: number,
  { metrics, logger }: ScheduleTickerOptions,
): void {
  metrics.schedules.tickSeconds.observe(seconds);
  for (const { status, occurrences, lateMs, scheduleId, fireAt, skipReason } of decisions) {
    metrics.schedules.occurrences.inc({ status: status.toLowerCase() }, occurrences);
    if (status === 'FIRED') metrics.schedules.lag.observe(lateMs / 1_000);
    else
      logger.warn(
        { schedule_id: scheduleId, fire_at: fireAt.toISOString(), occurrences, reason: skipReason },
        status === 'MISSED' ? 'occurrences missed' : 'occurrence skipped',
      );
  }
  metrics.schedules.broken.inc(broken.length);
  for (const { scheduleId, error } of broken)
    logger.error({ schedule_id: scheduleId, error }, 'schedule paused: nothing can be decided about it');
}

const CLOSED_AT_ONCE = 1_000;

/** Adds to the history how runs ended. */
export function createScheduleHistory({
  pool,
  logger,
  everyMs = 5_000,
}: {
  readonly pool: Queryable;
  readonly logger: Logger;
  /** Default 5 s. */
  readonly everyMs?: number;
}): Ticker {
  let cursor: OpenCursor | undefined;
  return new Ticker({
    name: 'schedule-history',
    everyMs,
    logger,
    tick: async () => {
      const { next } = await closeEndedScheduleRuns(pool, CLOSED_AT_ONCE, cursor);
      cursor = next ?? undefined;
      return next !== null;
    },
  });
}
