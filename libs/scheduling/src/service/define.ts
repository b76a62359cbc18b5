/** From what a client says to a schedule that can be stored. */
import type { JsonObject } from '@spine/core';
import type { MisfirePolicyName, OverlapPolicyName, ScheduleDefinition } from '@spine/database';
import type { WorkSpecJson } from '@spine/execution';
import { checkTemplate } from '../params/template.ts';
import { MAX_CATCH_UP } from '../plan/plan-tick.ts';
import { checkTiming } from '../timing/check-timing.ts';
import type { TimingInput } from '../timing/check-timing.ts';
import { Issues } from '../timing/issues.ts';
import { fireTimes } from '../timing/next-fire.ts';
import type { Timing } from '../timing/timing.ts';
import type { TradingCalendars } from '../timing/trading-calendar.ts';
import { checkRepeatableWork } from './repeatable-work.ts';
import { storedTiming } from './timing-of.ts';

export interface ScheduleInput extends TimingInput {
  /** Unique among the schedules that are there. */
  readonly name: string;
  readonly description?: string | undefined;
  /** The spec of its runs. Keys and times of a single run are refused. */
  readonly work: WorkSpecJson;
  /** Default 0. */
  readonly jitterSeconds?: number | undefined;
  /** Default `fire_once`. */
  readonly misfirePolicy?: MisfirePolicyName | undefined;
  /** Default 60. */
  readonly misfireGraceSeconds?: number | undefined;
  /** Default 10. */
  readonly catchUpLimit?: number | undefined;
  /** Default 1. */
  readonly catchUpSpacingSeconds?: number | undefined;
  /** Default `backfill`. */
  readonly catchUpLane?: string | undefined;
  /** Default `skip`. */
  readonly overlapPolicy?: OverlapPolicyName | undefined;
  /** Default 1. */
  readonly maxInstances?: number | undefined;
}

export interface Defined {
  readonly definition: ScheduleDefinition;
  readonly timing: Timing;
  readonly nextFireAt: Date;
}

export const SCHEDULE_LIMITS = {
  name: /^[A-Za-z0-9][A-Za-z0-9 _.:/-]{0,199}$/,
  jitterSeconds: 86_400,
  graceSeconds: 31 * 86_400,
  spacingSeconds: 86_400,
  catchUp: MAX_CATCH_UP,
  instances: 1_000,
} as const;

/** Fires more often than this is frequent. */
const FREQUENT_MS = 60_000;
const LOOKED_AT = 12;

/** @param now the database's time. @throws ValidationError with every field that is wrong. */
export function defineSchedule(input: ScheduleInput, now: Date, calendars: TradingCalendars): Defined {
  const issues = new Issues();
  const checked = issues.of(() => checkTiming(input, now, calendars));
  issues.of(() => {
    checkRepeatableWork(input.work, 'a schedule');
  });
  issues.of(() => {
    checkTemplate((input.work.params ?? {}) as JsonObject);
  });
  const { timing, nextFireAt } = issues.unless(checked);
  return {
    timing,
    nextFireAt,
    definition: {
      ...storedTiming(timing),
      name: input.name,
      description: input.description ?? null,
      targetKind: input.work.kind,
      targetName: input.work.name,
      work: input.work,
      jitterSeconds: input.jitterSeconds ?? 0,
      misfirePolicy: input.misfirePolicy ?? 'fire_once',
      misfireGraceSeconds: input.misfireGraceSeconds ?? 60,
      catchUpLimit: input.catchUpLimit ?? 10,
      catchUpSpacingSeconds: input.catchUpSpacingSeconds ?? 1,
      catchUpLane: input.catchUpLane ?? 'backfill',
      overlapPolicy: input.overlapPolicy ?? 'skip',
      maxInstances: input.maxInstances ?? 1,
      frequent: isFrequent(timing, now, calendars),
    },
  };
}

function isFrequent(timing: Timing, now: Date, calendars: TradingCalendars): boolean {
  const times = fireTimes(timing, now, LOOKED_AT, calendars);
  return times.some((time, index) => {
    const before = times[index - 1];
    return before !== undefined && time.getTime() - before.getTime() < FREQUENT_MS;
  });
}
