/**
 * One tick: decides about every schedule of a batch that is due, in one transaction.
 *
 * 1. What was decided, the runs that start and the move of `next_fire_at` commit together or not at all; a process that
 *    dies leaves its occurrences due.
 * 2. A run is stored only for a decision that was new.
 * 3. A schedule that cannot be decided about (its spec is none any more, its calendar has ended) is paused with the
 *    reason; it holds up no other.
 * 4. Deciding asks nobody: what is not there for a moment pauses no schedule.
 */
import { InvariantError, toErrorInfo, ValidationError } from '@spine/core';
import {
  activeScheduleRuns,
  cancelRunsIn,
  inTransaction,
  insertRuns,
  moveSchedules,
  pauseBrokenSchedules,
  recordDecisions,
  takeDueSchedules,
} from '@spine/database';
import type {
  BrokenSchedule,
  DueSchedules,
  NewRun,
  NewScheduleRun,
  Pool,
  Queryable,
  ScheduleMove,
  ScheduleRecord,
} from '@spine/database';
import type { Dispatcher, Payloads } from '@spine/execution';
import { planTick } from '../plan/plan-tick.ts';
import type { TickPlan } from '../plan/plan-tick.ts';
import { nextFire } from '../timing/next-fire.ts';
import type { TradingCalendars } from '../timing/trading-calendar.ts';
import { entriesOf } from './entries.ts';
import type { Entry } from './entries.ts';
import { TickSpan } from './tick-span.ts';
import { policyOf, timingOf } from './timing-of.ts';

export interface TickDependencies {
  readonly pool: Pool;
  readonly dispatcher: Dispatcher;
  /** Takes params that are too large for a run's row. */
  readonly payloads: Payloads;
  readonly calendars: TradingCalendars;
  /** Which process decides: kept with each decision. */
  readonly by: string;
  /** Schedules of one transaction. Default 200. */
  readonly batch?: number;
}

export interface TickResult {
  /** The database's time; null when nothing was due. */
  readonly now: Date | null;
  readonly decisions: readonly NewScheduleRun[];
  readonly broken: readonly BrokenSchedule[];
  /** More is due at once. */
  readonly more: boolean;
}

const BATCH = 200;
const TRANSACTION = { lockTimeoutMs: 5_000, idleTimeoutMs: 10_000 };

export async function tick(dependencies: TickDependencies): Promise<TickResult> {
  const { pool, dispatcher, batch = BATCH } = dependencies;
  const hinted = dispatcher.hinting;
  const span = new TickSpan();
  try {
    const { result, runs } = await inTransaction(pool, TRANSACTION, async (on) => {
      const due = await takeDueSchedules(on, batch);
      if (due === null) return NOTHING_DUE;
      return span.during(due.schedules.length, () => decideBatch(on, due, dependencies, hinted));
    });
    dispatcher.announce(runs, hinted);
    span.end({ runs: runs.length, broken: result.broken.length });
    return result;
  } catch (error) {
    span.fail(error);
    throw error;
  }
}

interface Decided {
  readonly result: TickResult;
  readonly runs: readonly NewRun[];
}

const NOTHING_DUE: Decided = { result: { now: null, decisions: [], broken: [], more: false }, runs: [] };

async function decideBatch(
  on: Queryable,
  { now, schedules }: DueSchedules,
  dependencies: TickDependencies,
  hinted: boolean,
): Promise<Decided> {
  const active = await activeBySchedule(on, schedules);
  const sorted = new TickBatch();
  for (const schedule of schedules) {
    const activeRuns = active.get(schedule.scheduleId) ?? [];
    await decide(sorted, schedule, activeRuns, now, dependencies);
  }
  const { entries, moves, broken, cancelled } = sorted;
  const decisions = entries.map(({ decision }) => decision);
  const fresh = await recordDecisions(on, decisions, dependencies.by);
  const started = entries.flatMap(({ run }, index) => (run !== null && fresh.has(index) ? [run] : []));
  const runs = await Promise.all(started.map((run) => dependencies.payloads.stow(run)));
  await cancelRunsIn(on, cancelled, 'superseded by the next occurrence of its schedule', 'schedule');
  await insertRuns(on, runs, { ambiguous: false, hinted });
  const moved = await moveSchedules(on, moves);
  if (moved.size !== moves.length)
    throw new InvariantError('a schedule was moved by another while its row was locked; nothing was decided');
  await pauseBrokenSchedules(on, broken);
  return {
    result: {
      now,
      decisions: decisions.filter((_, index) => fresh.has(index)),
      broken,
      more: schedules.length === (dependencies.batch ?? BATCH) || sorted.more,
    },
    runs,
  };
}

class TickBatch {
  readonly entries: Entry[] = [];
  readonly moves: ScheduleMove[] = [];
  readonly broken: BrokenSchedule[] = [];
  readonly cancelled: string[] = [];
  more = false;
}

async function decide(
  batch: TickBatch,
  schedule: ScheduleRecord,
  activeRuns: readonly string[],
  now: Date,
  dependencies: TickDependencies,
): Promise<void> {
  const { scheduleId, nextFireAt } = schedule;
  if (nextFireAt === null) return;
  try {
    const { plan, end } = planOf(schedule, nextFireAt, activeRuns.length, now, dependencies.calendars);
    const entries = await entriesOf(schedule, plan, now, dependencies.dispatcher);
    batch.entries.push(...entries);
    batch.moves.push({
      scheduleId,
      from: nextFireAt,
      to: plan.nextFireAt,
      lastFireAt: entries.at(-1)?.decision.throughAt ?? null,
      pausedReason: end,
    });
    if (end !== null) batch.broken.push({ scheduleId, error: end });
    batch.cancelled.push(...activeRuns.slice(0, plan.cancelOldest));
    batch.more ||= plan.more;
  } catch (error) {
    batch.broken.push({ scheduleId, error: toErrorInfo(error).message });
  }
}

interface Planned {
  readonly plan: TickPlan;
  /** Why the time after the plan's last is not known; null when it is, or when there is none. */
  readonly end: string | null;
}

function planOf(
  schedule: ScheduleRecord,
  nextFireAt: Date,
  activeRuns: number,
  now: Date,
  calendars: TradingCalendars,
): Planned {
  const timing = timingOf(schedule);
  let end: string | null = null;
  const next = (after: Date): Date | null => {
    try {
      return nextFire(timing, after, calendars);
    } catch (error) {
      // A calendar that ends, or is gone: what is due is known all the same and is decided.
      if (!(error instanceof ValidationError)) throw error;
      end = error.message;
      return null;
    }
  };
  const plan = planTick({ policy: policyOf(schedule), nextFireAt, activeRuns, now, next });
  return { plan, end };
}

async function activeBySchedule(
  on: Queryable,
  schedules: readonly ScheduleRecord[],
): Promise<ReadonlyMap<string, readonly string[]>> {
  const asked = schedules.filter(
    ({ overlapPolicy }) => overlapPolicy === 'skip' || overlapPolicy === 'cancel_existing',
  );
  const active = await activeScheduleRuns(
    on,
    asked.map(({ scheduleId }) => scheduleId),
  );
  const groups = Map.groupBy(active, ({ scheduleId }) => scheduleId);
  return new Map([...groups].map(([id, runs]) => [id, runs.map(({ runId }) => runId)]));
}
