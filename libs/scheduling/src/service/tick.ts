/**
 * One tick: decides about every schedule of a batch that is due, in one transaction.
 *
 * 1. What was decided, the runs that start and the move of `next_fire_at` commit together or not at all; a process that
 * dies leaves its occurrences due. 2. A run is stored only for a decision that was new. 3. A schedule that cannot be decided
 * about (its calendar is not known, its spec is none any more) is paused with the reason; it holds up no other.
 */
import { toErrorInfo } from '@spine/core';
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
  NewRun,
  NewScheduleRun,
  Pool,
  Queryable,
  ScheduleRecord,
} from '@spine/database';
import type { Dispatcher } from '@spine/execution';
import { planTick } from '../plan/plan-tick.ts';
import type { Decision, TickPlan } from '../plan/plan-tick.ts';
import { nextFire } from '../timing/next-fire.ts';
import type { TradingCalendars } from '../timing/trading-calendar.ts';
import { policyOf, timingOf } from './timing-of.ts';
import { workOf } from './work.ts';

export interface TickDependencies {
  readonly pool: Pool;
  readonly dispatcher: Dispatcher;
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
  const { result, runs } = await inTransaction(pool, TRANSACTION, (on) =>
    decideBatch(on, dependencies, batch, hinted),
  );
  dispatcher.announce(runs, hinted);
  return result;
}

interface Decided {
  readonly result: TickResult;
  readonly runs: readonly NewRun[];
}

async function decideBatch(
  on: Queryable,
  dependencies: TickDependencies,
  batch: number,
  hinted: boolean,
): Promise<Decided> {
  const due = await takeDueSchedules(on, batch);
  if (due === null) return { result: { now: null, decisions: [], broken: [], more: false }, runs: [] };
  const { now, schedules } = due;
  const active = await activeBySchedule(on, schedules);
  const sorted = new TickBatch();
  for (const schedule of schedules) {
    const activeRuns = active.get(schedule.scheduleId) ?? [];
    await decide(sorted, schedule, activeRuns, now, dependencies);
  }
  const { entries, moves, broken, cancelled } = sorted;
  const decisions = entries.map(({ decision }) => decision);
  const fresh = await recordDecisions(on, decisions, dependencies.by);
  const runs = entries.flatMap(({ run }, index) => (run !== null && fresh.has(index) ? [run] : []));
  await cancelRunsIn(on, cancelled, 'superseded by the next occurrence of its schedule', 'schedule');
  await insertRuns(on, runs, { ambiguous: false, hinted });
  await moveSchedules(on, moves);
  await pauseBrokenSchedules(on, broken);
  return {
    result: {
      now,
      decisions: decisions.filter((_, index) => fresh.has(index)),
      broken,
      more: schedules.length === batch || sorted.more,
    },
    runs,
  };
}

interface Entry {
  readonly decision: NewScheduleRun;
  readonly run: NewRun | null;
}

class TickBatch {
  readonly entries: Entry[] = [];
  readonly moves: Parameters<typeof moveSchedules>[1][number][] = [];
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
    const plan = planOf(schedule, nextFireAt, activeRuns.length, now, dependencies.calendars);
    const entries = await entriesOf(schedule, plan, now, dependencies.dispatcher);
    batch.entries.push(...entries);
    batch.moves.push({
      scheduleId,
      from: nextFireAt,
      to: plan.nextFireAt,
      lastFireAt: entries.at(-1)?.decision.throughAt ?? null,
    });
    if (plan.cancelActive) batch.cancelled.push(...activeRuns);
    batch.more ||= plan.more;
  } catch (error) {
    batch.broken.push({ scheduleId, error: toErrorInfo(error).message });
  }
}

function planOf(
  schedule: ScheduleRecord,
  nextFireAt: Date,
  activeRuns: number,
  now: Date,
  calendars: TradingCalendars,
): TickPlan {
  const timing = timingOf(schedule);
  return planTick({
    policy: policyOf(schedule),
    nextFireAt,
    activeRuns,
    now,
    next: (after) => nextFire(timing, after, calendars),
  });
}

async function entriesOf(
  schedule: ScheduleRecord,
  plan: TickPlan,
  now: Date,
  dispatcher: Dispatcher,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let previousFireAt = schedule.lastFireAt;
  for (const decision of plan.decisions) {
    entries.push(await entryOf(schedule, decision, previousFireAt, now, dispatcher));
    previousFireAt = decision.type === 'missed' ? decision.throughAt : decision.fireAt;
  }
  return entries;
}

async function entryOf(
  schedule: ScheduleRecord,
  decision: Decision,
  previousFireAt: Date | null,
  now: Date,
  dispatcher: Dispatcher,
): Promise<Entry> {
  const { fireAt } = decision;
  const base = {
    scheduleId: schedule.scheduleId,
    fireAt,
    throughAt: fireAt,
    occurrences: 1,
    origin: 'schedule' as const,
    skipReason: null,
    runId: null,
    lateMs: Math.max(now.getTime() - fireAt.getTime(), 0),
  };
  switch (decision.type) {
    case 'missed': {
      const { throughAt, occurrences } = decision;
      return { decision: { ...base, status: 'MISSED', throughAt, occurrences }, run: null };
    }
    case 'skip':
      return { decision: { ...base, status: 'SKIPPED', skipReason: decision.reason }, run: null };
    case 'fire': {
      const spec = workOf(schedule, { ...decision, previousFireAt, origin: 'schedule', now });
      const prepared = await dispatcher.prepare(spec, { allowUnknown: true });
      if (prepared.type === 'prepared')
        return { decision: { ...base, status: 'FIRED', runId: prepared.run.runId }, run: prepared.run };
      // Params that the template has filled with what the handler refuses: said where people look for the run.
      const reason = prepared.type === 'invalid' ? invalidReason(prepared.issues) : prepared.type;
      return { decision: { ...base, status: 'SKIPPED', skipReason: reason }, run: null };
    }
  }
}

const MAX_REASON = 500;

function invalidReason(issues: readonly { readonly field: string; readonly message: string }[]): string {
  const text = issues.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return `invalid ${text}`.slice(0, MAX_REASON);
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
