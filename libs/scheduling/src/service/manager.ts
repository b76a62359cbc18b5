/** Everything clients do with schedules. Expected outcomes are returned; what is wrong with a field is thrown. */
import { ValidationError } from '@spine/core';
import {
  changeSchedule,
  createSchedule,
  databaseNow,
  deleteSchedule,
  firedTimes,
  getSchedule,
} from '@spine/database';
import type { ScheduleRecord, ScheduleWrite } from '@spine/database';
import { checkTiming } from '../timing/check-timing.ts';
import type { TimingInput } from '../timing/check-timing.ts';
import { fireTimes, nextFire } from '../timing/next-fire.ts';
import type { TradingCalendars } from '../timing/trading-calendar.ts';
import { defineSchedule } from './define.ts';
import type { Defined, ScheduleInput } from './define.ts';
import { fireOccurrences } from './fire.ts';
import type { AskedOccurrence, FireDependencies, StartedOccurrence } from './fire.ts';
import { timingOf } from './timing-of.ts';
import { trialWork } from './work.ts';

export interface ScheduleManagerOptions extends FireDependencies {
  readonly calendars: TradingCalendars;
  /** Schedules that may fire more often than once a minute. Default 100. */
  readonly frequentQuota?: number;
}

export type StateChange =
  | { readonly type: 'changed'; readonly schedule: ScheduleRecord }
  /** It is in that state already. */
  | { readonly type: 'unchanged'; readonly schedule: ScheduleRecord }
  | Extract<ScheduleWrite, { readonly type: 'not_found' | 'over_quota' }>;

export interface BackfillRequest {
  /** The first moment of the range. */
  readonly from: Date;
  /** The first moment after it. */
  readonly to: Date;
  /** Runs of the backfill at the same time. Default 1. */
  readonly maxConcurrency?: number | undefined;
  readonly dryRun?: boolean | undefined;
  readonly by: string;
}

export interface BackfillResult {
  readonly schedule: ScheduleRecord;
  /** Occurrences of the range. */
  readonly occurrences: number;
  /** Of those, the ones that had fired before. */
  readonly alreadyFired: number;
  /** Started, or what would be with a dry run (then without run ids). */
  readonly started: readonly (Omit<StartedOccurrence, 'runId'> & { readonly runId: string | null })[];
}

const DEFAULT_QUOTA = 100;
export const MAX_BACKFILL = 10_000;
export const MAX_PREVIEW = 100;
const RUNS_PER_TRANSACTION = 500;

export class ScheduleManager {
  readonly #options: ScheduleManagerOptions;

  constructor(options: ScheduleManagerOptions) {
    this.#options = options;
  }

  get #quota(): number {
    return this.#options.frequentQuota ?? DEFAULT_QUOTA;
  }

  /** @throws ValidationError naming every field that is wrong. */
  async create(
    input: ScheduleInput,
    options: { readonly by: string; readonly paused?: boolean },
  ): Promise<ScheduleWrite> {
    const { db } = this.#options;
    const { definition, nextFireAt } = await this.#define(input);
    return createSchedule(
      db,
      { definition, nextFireAt: options.paused === true ? null : nextFireAt, createdBy: options.by },
      this.#quota,
    );
  }

  /** Puts another definition in the place of one at `version`; what was due and not decided is not made up for. */
  async change(scheduleId: string, version: number, input: ScheduleInput): Promise<ScheduleWrite> {
    const { db } = this.#options;
    const current = await getSchedule(db, scheduleId);
    if (current === null) return { type: 'not_found' };
    const { definition, nextFireAt } = await this.#define(input);
    const paused = current.state === 'paused';
    return changeSchedule(
      db,
      {
        scheduleId,
        version,
        definition,
        nextFireAt: paused ? null : nextFireAt,
        state: paused ? 'paused' : 'active',
      },
      this.#quota,
    );
  }

  /** Nothing fires until it is resumed. */
  async pause(scheduleId: string): Promise<StateChange> {
    return this.#changeState(scheduleId, 'paused');
  }

  /** Fires from now on: what its times were while it was paused is not made up for. */
  async resume(scheduleId: string): Promise<StateChange> {
    return this.#changeState(scheduleId, 'active');
  }

  delete(scheduleId: string): Promise<ScheduleRecord | null> {
    return deleteSchedule(this.#options.db, scheduleId);
  }

  /** Starts a run now, whatever its state and its times; only the gate of the overlap policy `queue` still holds. */
  async trigger(scheduleId: string, by: string): Promise<StartedOccurrence | null> {
    const { db } = this.#options;
    const schedule = await getSchedule(db, scheduleId);
    if (schedule === null) return null;
    // Two within one millisecond are two: the second takes the next.
    for (let taken = 0; ; taken += 1) {
      const now = new Date((await databaseNow(db)).getTime() + taken);
      const occurrence = { fireAt: now, previousFireAt: schedule.lastFireAt, delayMs: 0 };
      const [started] = await fireOccurrences(this.#options, {
        schedule,
        occurrences: [occurrence],
        origin: 'manual',
        now,
        by,
      });
      if (started !== undefined) return started;
    }
  }

  /**
   * Starts the occurrences of a range of the past that have not fired, oldest first, in the lane for what is made up
   * for, so many at a time.
   *
   * @throws ValidationError for a range that is none, reaches into the future, or holds too many.
   */
  async backfill(scheduleId: string, request: BackfillRequest): Promise<BackfillResult | null> {
    const { db } = this.#options;
    const schedule = await getSchedule(db, scheduleId);
    if (schedule === null) return null;
    const now = await databaseNow(db);
    const times = this.#timesBetween(schedule, request, now);
    const fired = await firedTimes(db, scheduleId, request);
    const open = times.filter(({ fireAt }) => !fired.has(fireAt.getTime()));
    const result = { schedule, occurrences: times.length, alreadyFired: times.length - open.length };
    if (request.dryRun === true)
      return { ...result, started: open.map(({ fireAt }) => ({ fireAt, runId: null })) };
    const limit = request.maxConcurrency ?? 1;
    const started: StartedOccurrence[] = [];
    for (let at = 0; at < open.length; at += RUNS_PER_TRANSACTION) {
      const stored = await fireOccurrences(this.#options, {
        schedule,
        occurrences: open.slice(at, at + RUNS_PER_TRANSACTION),
        origin: 'backfill',
        now,
        by: request.by,
        adapt: (spec) => ({
          ...spec,
          concurrency: [...(spec.concurrency ?? []), { key: `schedule:${scheduleId}:backfill`, limit }],
        }),
      });
      started.push(...stored);
    }
    return { ...result, started };
  }

  /** The next times of a timing. @throws ValidationError naming every field that is wrong. */
  async preview(input: TimingInput, count: number, after?: Date): Promise<readonly Date[]> {
    const { db, calendars } = this.#options;
    const now = await databaseNow(db);
    const { timing } = checkTiming(input, now, calendars);
    return fireTimes(timing, after ?? now, Math.min(count, MAX_PREVIEW), calendars);
  }

  async #changeState(scheduleId: string, state: 'active' | 'paused'): Promise<StateChange> {
    const { db, calendars } = this.#options;
    for (;;) {
      const schedule = await getSchedule(db, scheduleId);
      if (schedule === null) return { type: 'not_found' };
      const isThere = state === 'paused' ? schedule.state !== 'active' : schedule.state !== 'paused';
      if (isThere) return { type: 'unchanged', schedule };
      const nextFireAt =
        state === 'paused' ? null : nextFire(timingOf(schedule), await databaseNow(db), calendars);
      const written = await changeSchedule(
        db,
        {
          scheduleId,
          version: schedule.version,
          definition: schedule,
          nextFireAt,
          state: state === 'active' && nextFireAt === null ? 'completed' : state,
        },
        this.#quota,
      );
      if (written.type === 'written') return { type: 'changed', schedule: written.schedule };
      if (written.type === 'not_found' || written.type === 'over_quota') return written;
    }
  }

  /** With a trial of the first occurrence's run: what its handler refuses is refused now, not at each of its times. */
  async #define(input: ScheduleInput): Promise<Defined> {
    const { db, calendars, dispatcher } = this.#options;
    const now = await databaseNow(db);
    const defined = defineSchedule(input, now, calendars);
    const prepared = await dispatcher.prepare(trialWork(defined, now), { allowUnknown: 'unasked' });
    if (prepared.type === 'invalid')
      throw new ValidationError(
        `its runs would be refused: ${prepared.issues.map(({ field, message }) => `${field}: ${message}`).join('; ')}`,
        { issues: prepared.issues },
      );
    return defined;
  }

  #timesBetween(schedule: ScheduleRecord, { from, to }: BackfillRequest, now: Date): AskedOccurrence[] {
    if (from >= to) throw outOfRange('to', 'must be after from');
    if (to > now) throw outOfRange('to', `reaches into the future; it is ${now.toISOString()}`);
    const timing = timingOf(schedule);
    const occurrences: AskedOccurrence[] = [];
    let previousFireAt: Date | null = null;
    for (let after = new Date(from.getTime() - 1); ;) {
      const fireAt = nextFire(timing, after, this.#options.calendars);
      if (fireAt === null || fireAt >= to) return occurrences;
      if (occurrences.length === MAX_BACKFILL)
        throw outOfRange('to', `the range holds more than ${MAX_BACKFILL} occurrences; take a shorter one`);
      occurrences.push({ fireAt, previousFireAt, delayMs: 0 });
      previousFireAt = fireAt;
      after = fireAt;
    }
  }
}

function outOfRange(field: string, message: string): ValidationError {
  return new ValidationError(`${field}: ${message}`, { issues: [{ field, code: 'out_of_range', message }] });
}
