/** Whether schedules fire: who is there to fire them, what is late, and how far this host's clock is off. */
import { SCHEDULER_LOCKS, schedulingLag, schedulingStatus } from '@spine/database';
import type { LockRecord, Pool, SchedulingLag, SchedulingStatus } from '@spine/database';
import { Ticker } from '@spine/execution';
import type { Logger, Metrics } from '@spine/observability';
import type { LockManager } from '../locks/lock-manager.ts';

/** Clocks further apart than this are warned of: logs and run times of the host cannot be compared with the others'. */
export const MAX_DRIFT_MS = 5_000;

const BEAT_MS = 5_000;
const LIVE_MS = 30_000;

export interface SchedulerHealth extends SchedulingStatus {
  /** `leaderless`: no scheduler process is there, and nothing fires. */
  readonly status: 'ok' | 'late' | 'leaderless';
  /** Live scheduler processes. */
  readonly schedulers: readonly string[];
  /** Locks whose lease is not over, without those of the processes themselves; at most 1,000. */
  readonly activeLocks: readonly LockRecord[];
  /** Clock of this host minus the database's, in milliseconds. */
  readonly driftMs: number;
}

export async function schedulerHealth(pool: Pool, locks: LockManager): Promise<SchedulerHealth> {
  const { value: status, driftMs } = await measured(() => schedulingStatus(pool));
  // Asked for by themselves: a list of all locks is cut off, and must not cut off these.
  const processes = (await locks.list(SCHEDULER_LOCKS)).filter((lock) => lock.active);
  const schedulers = processes.map(({ key }) => key.slice(SCHEDULER_LOCKS.length));
  return {
    ...status,
    status: schedulers.length === 0 ? 'leaderless' : status.late > 0 ? 'late' : 'ok',
    schedulers,
    activeLocks: await activeLocks(locks),
    driftMs,
  };
}

async function activeLocks(locks: LockManager): Promise<readonly LockRecord[]> {
  return (await locks.list()).filter(({ key, active }) => active && !key.startsWith(SCHEDULER_LOCKS));
}

/** What the database answers, and how far this host's clock is ahead of its own. */
async function measured<T extends SchedulingLag>(
  ask: () => Promise<T>,
): Promise<{ readonly value: T; readonly driftMs: number }> {
  const asked = Date.now();
  const value = await ask();
  // The database's time is of some moment between question and answer.
  return { value, driftMs: Math.round((asked + Date.now()) / 2 - value.now.getTime()) };
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
      const { value, driftMs } = await measured(() => schedulingLag(pool));
      const { late, oldestDueAt } = value;
      metrics.schedules.drift.set(driftMs / 1_000);
      metrics.schedules.overdue.set(late);
      metrics.schedules.locks.set((await activeLocks(locks)).length);
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
