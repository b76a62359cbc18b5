/** Whether schedules fire: who is there to fire them, what is late, and how far this host's clock is off. */
import { schedulingStatus } from '@spine/database';
import type { LockRecord, Pool, SchedulingStatus } from '@spine/database';
import { Ticker } from '@spine/execution';
import type { Logger, Metrics } from '@spine/observability';
import type { LockManager } from '../locks/lock-manager.ts';

/** Locks under this prefix are held by live scheduler processes. */
export const SCHEDULER_LOCKS = 'scheduler:';

/** Clocks further apart than this are warned of: logs and run times of the host cannot be compared with the others'. */
export const MAX_DRIFT_MS = 5_000;

const BEAT_MS = 5_000;
const LIVE_MS = 30_000;

export interface SchedulerHealth extends SchedulingStatus {
  /** `leaderless`: no scheduler process is there, and nothing fires. */
  readonly status: 'ok' | 'late' | 'leaderless';
  /** Live scheduler processes. */
  readonly schedulers: readonly string[];
  /** Locks whose lease is not over, without those of the processes themselves. */
  readonly activeLocks: readonly LockRecord[];
  /** Clock of this host minus the database's, in milliseconds. */
  readonly driftMs: number;
}

export async function schedulerHealth(pool: Pool, locks: LockManager): Promise<SchedulerHealth> {
  const asked = Date.now();
  const status = await schedulingStatus(pool);
  const answered = Date.now();
  const active = (await locks.list()).filter((lock) => lock.active);
  const schedulers = active
    .filter(({ key }) => key.startsWith(SCHEDULER_LOCKS))
    .map(({ key }) => key.slice(SCHEDULER_LOCKS.length));
  return {
    ...status,
    status: schedulers.length === 0 ? 'leaderless' : status.late > 0 ? 'late' : 'ok',
    schedulers,
    activeLocks: active.filter(({ key }) => !key.startsWith(SCHEDULER_LOCKS)),
    // The database's time is of some moment between question and answer.
    driftMs: Math.round((asked + answered) / 2 - status.now.getTime()),
  };
}

export interface SchedulerBeatOptions {
  readonly pool: Pool;
  readonly locks: LockManager;
  /** Which process this is, as its locks name it. */
  readonly owner: string;
  readonly metrics: Metrics;
  readonly logger: Logger;
}

/** Says that this scheduler is there, and measures drift and locks. */
export function createSchedulerBeat({ pool, locks, owner, metrics, logger }: SchedulerBeatOptions): Ticker {
  let warned = false;
  return new Ticker({
    name: 'scheduler-beat',
    everyMs: BEAT_MS,
    logger,
    tick: async () => {
      const { driftMs, activeLocks, late, oldestDueAt } = await schedulerHealth(pool, locks);
      metrics.schedules.drift.set(driftMs / 1_000);
      metrics.schedules.locks.set(activeLocks.length);
      const drifts = Math.abs(driftMs) > MAX_DRIFT_MS;
      if (drifts && !warned)
        logger.warn(
          { drift_ms: driftMs },
          'the clock of this host differs from that of the database; check its time service',
        );
      warned = drifts;
      if (late > 0)
        logger.warn(
          { late, oldest_due_at: oldestDueAt?.toISOString() },
          'schedules are due that nobody decides about',
        );
      return false;
    },
  }).under(locks.lease(`${SCHEDULER_LOCKS}${owner}`, LIVE_MS));
}

/** Removes leases that have been over for an hour. */
export function createLockSweep({ locks, logger }: Pick<SchedulerBeatOptions, 'locks' | 'logger'>): Ticker {
  return new Ticker({
    name: 'locks',
    everyMs: 60_000,
    logger,
    tick: async () => (await locks.cleanUp()) > 0,
  });
}
