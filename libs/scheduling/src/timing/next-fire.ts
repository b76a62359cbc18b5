import { addDays, assertNever, ValidationError } from '@spine/core';
import { instantOf, nextOfCalendar } from './calendar-rule.ts';
import { parseCron } from './cron.ts';
import { refuse } from './issues.ts';
import type { Exclusion, Rule, Timing } from './timing.ts';
import type { TradingCalendars } from './trading-calendar.ts';
import { localDate } from './zone.ts';

/** An exclusion up to here or later has no end: times of day are not looked for in the years after. */
const LAST_DATE = '2999-12-31';

/** Excluded stretches that are stepped over in one search. */
const MAX_EXCLUDED = 10_000;

/**
 * The first time of `timing` after `after`, exclusively; null when it has none any more.
 *
 * @throws ValidationError for a calendar that is not known.
 */
export function nextFire(timing: Timing, after: Date, calendars: TradingCalendars): Date | null {
  const { rule, timeZone, startsAt, endsAt } = timing;
  // The start itself may fire.
  let from = startsAt !== null && startsAt > after ? new Date(startsAt.getTime() - 1) : after;
  for (let tried = 0; tried < MAX_EXCLUDED; tried += 1) {
    const found = nextOf(rule, timeZone, from, calendars);
    if (found === null || (endsAt !== null && found >= endsAt)) return null;
    const excluded = exclusionOf(timing, found);
    if (excluded === null) return found;
    if (excluded.to >= LAST_DATE) return null;
    from = new Date(instantOf(addDays(excluded.to, 1), '00:00', timeZone).getTime() - 1);
  }
  return null;
}

/**
 * The next `count` times after `after`, fewer when there are no more or when the calendar ends.
 *
 * @throws ValidationError for a calendar that is not known, or that ends before the first of them.
 */
export function fireTimes(
  timing: Timing,
  after: Date,
  count: number,
  calendars: TradingCalendars,
): readonly Date[] {
  const times: Date[] = [];
  for (let from = after; times.length < count;) {
    let at: Date | null;
    try {
      at = nextFire(timing, from, calendars);
    } catch (error) {
      if (error instanceof ValidationError && times.length > 0) return times;
      throw error;
    }
    if (at === null) return times;
    times.push(at);
    from = at;
  }
  return times;
}

function nextOf(rule: Rule, timeZone: string, after: Date, calendars: TradingCalendars): Date | null {
  switch (rule.type) {
    case 'cron':
      return parseCron(rule.expression, timeZone).next(after);
    case 'interval': {
      const every = rule.seconds * 1_000;
      const anchor = rule.anchor.getTime();
      const passed = Math.floor((after.getTime() - anchor) / every) + 1;
      return new Date(anchor + Math.max(passed, 0) * every);
    }
    case 'date':
      return rule.runAt > after ? rule.runAt : null;
    case 'calendar': {
      const calendar = calendars.get(rule.rule.exchange);
      if (calendar === undefined) return unknownCalendar(rule.rule.exchange, calendars);
      try {
        return nextOfCalendar(rule.rule, timeZone, after, calendar);
      } catch (error) {
        if (!(error instanceof ValidationError)) throw error;
        // The calendar speaks of its own parameter; whoever made the schedule knows it by this one.
        return refuse('calendar_rule', 'outside_calendar', error.message);
      }
    }
    default:
      return assertNever(rule);
  }
}

/** The excluded stretch that `at` lies in; null when it lies in none. */
function exclusionOf({ exclusions, timeZone }: Timing, at: Date): Exclusion | null {
  if (exclusions.length === 0) return null;
  const date = localDate(at, timeZone);
  return exclusions.find(({ from, to }) => from <= date && date <= to) ?? null;
}

export function unknownCalendar(exchange: string, calendars: TradingCalendars): never {
  const known = [...calendars.keys()].sort();
  return refuse(
    'calendar_rule.exchange',
    'unknown_calendar',
    `${JSON.stringify(exchange.slice(0, 20))} is not a known calendar; ` +
      (known.length === 0 ? 'this process knows none' : `known are ${known.join(', ')}`),
  );
}
