/** Reads the timing fields of a schedule, as the API takes them, into a {@link Timing}. */
import { assertNever } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { parseCron } from './cron.ts';
import { Issues, refuse } from './issues.ts';
import { nextFire, unknownCalendar } from './next-fire.ts';
import { CALENDAR_PERIODS } from './timing.ts';
import type { CalendarRule, Exclusion, Rule, ScheduleType, Timing } from './timing.ts';
import type { TradingCalendars } from './trading-calendar.ts';
import { parseTimeZone } from './zone.ts';

/** Fields that a type does not take must be absent: what is ignored silently is a schedule that surprises. */
export interface TimingInput {
  readonly scheduleType: ScheduleType;
  readonly cronExpression?: string | undefined;
  readonly intervalSeconds?: number | undefined;
  readonly runAt?: Date | undefined;
  readonly calendarRule?: CalendarRule | undefined;
  /** Default UTC. */
  readonly timezone?: string | undefined;
  readonly startsAt?: Date | undefined;
  readonly endsAt?: Date | undefined;
  readonly exclusions?:
    readonly { readonly from: PlainDate; readonly to?: PlainDate | undefined }[] | undefined;
}

export const MAX_INTERVAL_SECONDS = 366 * 86_400;
export const MAX_EXCLUSIONS = 200;

/** The field each type takes: as here, and as in JSON. */
const FIELD_OF = {
  cron: ['cronExpression', 'cron_expression'],
  interval: ['intervalSeconds', 'interval_seconds'],
  date: ['runAt', 'run_at'],
  calendar: ['calendarRule', 'calendar_rule'],
} as const satisfies Record<ScheduleType, readonly [keyof TimingInput, string]>;

export interface CheckedTiming {
  readonly timing: Timing;
  /** The first time after now. */
  readonly nextFireAt: Date;
}

/**
 * @param now the database's time: the anchor of an interval without `starts_at`.
 * @throws ValidationError with every field that is wrong.
 */
export function checkTiming(input: TimingInput, now: Date, calendars: TradingCalendars): CheckedTiming {
  const issues = new Issues();
  const timeZone = issues.of(() => parseTimeZone(input.timezone ?? 'UTC')) ?? 'UTC';
  const rule = issues.of(() => ruleOf(input, timeZone, now, calendars));
  const exclusions = issues.of(() => exclusionsOf(input)) ?? [];
  issues.of(() => checkForeignFields(input));
  issues.of(() => checkWindow(input));
  const timing: Timing = {
    rule: issues.unless(rule),
    timeZone,
    startsAt: input.startsAt ?? null,
    endsAt: input.endsAt ?? null,
    exclusions,
  };
  const nextFireAt = nextFire(timing, now, calendars);
  if (nextFireAt !== null) return { timing, nextFireAt };
  return refuse(
    FIELD_OF[input.scheduleType][1],
    'never_fires',
    'no time is left after now within starts_at, ends_at and the exclusions',
  );
}

function ruleOf(input: TimingInput, timeZone: string, now: Date, calendars: TradingCalendars): Rule {
  const { scheduleType, cronExpression, intervalSeconds, runAt, calendarRule } = input;
  const missing = (): never =>
    refuse(FIELD_OF[scheduleType][1], 'required', `is required with schedule_type ${scheduleType}`);
  switch (scheduleType) {
    case 'cron':
      if (cronExpression === undefined) return missing();
      parseCron(cronExpression, timeZone);
      return { type: 'cron', expression: cronExpression };
    case 'interval':
      if (intervalSeconds === undefined) return missing();
      if (!Number.isInteger(intervalSeconds) || intervalSeconds < 1 || intervalSeconds > MAX_INTERVAL_SECONDS)
        return refuse(
          'interval_seconds',
          'out_of_range',
          `${intervalSeconds} is not allowed; allowed are whole seconds from 1 to ${MAX_INTERVAL_SECONDS}`,
        );
      return { type: 'interval', seconds: intervalSeconds, anchor: input.startsAt ?? now };
    case 'date':
      if (runAt === undefined) return missing();
      if (runAt <= now)
        return refuse('run_at', 'in_the_past', `${runAt.toISOString()} is over; it is ${now.toISOString()}`);
      return { type: 'date', runAt };
    case 'calendar':
      if (calendarRule === undefined) return missing();
      return { type: 'calendar', rule: checkCalendarRule(calendarRule, calendars) };
    default:
      return assertNever(scheduleType);
  }
}

/** How many trading days a period can have, at the most. */
const MOST_DAYS = { day: 1, week: 7, month: 31, quarter: 92, year: 366 } as const;

function checkCalendarRule(rule: CalendarRule, calendars: TradingCalendars): CalendarRule {
  if (!CALENDAR_PERIODS.includes(rule.period))
    return refuse(
      'calendar_rule.period',
      'not_allowed',
      `${JSON.stringify(rule.period)} is not a period; allowed are ${CALENDAR_PERIODS.join(', ')}`,
    );
  const most = MOST_DAYS[rule.period];
  if (!Number.isInteger(rule.nth) || rule.nth === 0 || Math.abs(rule.nth) > most)
    return refuse(
      'calendar_rule.nth',
      'out_of_range',
      `${rule.nth} is not allowed; a ${rule.period} has day 1 to ${most}, or -1 to -${most} from its end`,
    );
  if (!/^(?:[01]\d|2[0-3]):[0-5]\d$/.test(rule.at))
    return refuse(
      'calendar_rule.at',
      'invalid_time',
      `${JSON.stringify(rule.at.slice(0, 20))} is not a time; write HH:MM`,
    );
  if (!calendars.has(rule.exchange)) return unknownCalendar(rule.exchange, calendars);
  return rule;
}

function exclusionsOf({ exclusions = [] }: TimingInput): readonly Exclusion[] {
  if (exclusions.length > MAX_EXCLUSIONS)
    return refuse(
      'exclusions',
      'too_many',
      `${exclusions.length} are too many; allowed are ${MAX_EXCLUSIONS}`,
    );
  return exclusions.map(({ from, to = from }, index) => {
    if (to < from) return refuse(`exclusions[${index}].to`, 'before_start', `${to} is before ${from}`);
    return { from, to };
  });
}

function checkForeignFields(input: TimingInput): void {
  const [own] = FIELD_OF[input.scheduleType];
  for (const [field, jsonName] of Object.values(FIELD_OF)) {
    if (field !== own && input[field] !== undefined)
      refuse(jsonName, 'not_allowed', `is not taken with schedule_type ${input.scheduleType}`);
  }
}

function checkWindow({ startsAt, endsAt }: TimingInput): void {
  if (startsAt !== undefined && endsAt !== undefined && endsAt <= startsAt)
    refuse(
      'ends_at',
      'before_start',
      `${endsAt.toISOString()} is not after starts_at, ${startsAt.toISOString()}`,
    );
}
