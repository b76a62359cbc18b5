import { addDays, assertNever } from '@spine/core';
import { instantOf, nextOfCalendar } from './calendar-rule.ts';
import { parseCron } from './cron.ts';
import { refuse } from './issues.ts';
import type { Rule, Timing } from './timing.ts';
import type { TradingCalendars } from './trading-calendar.ts';
import { localDate } from './zone.ts';

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
    const resumed = endOfExclusion(timing, found);
    if (resumed === null) return found;
    from = new Date(resumed.getTime() - 1);
  }
  return null;
}

/** The next `count` times after `after`, fewer when there are no more. */
export function fireTimes(
  timing: Timing,
  after: Date,
  count: number,
  calendars: TradingCalendars,
): readonly Date[] {
  const times: Date[] = [];
  for (let at = nextFire(timing, after, calendars); at !== null && times.length < count;) {
    times.push(at);
    at = times.length < count ? nextFire(timing, at, calendars) : null;
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
      return nextOfCalendar(rule.rule, timeZone, after, calendar);
    }
    default:
      return assertNever(rule);
  }
}

/** Where the day after the excluded stretch begins that `at` lies in; null when it lies in none. */
function endOfExclusion({ exclusions, timeZone }: Timing, at: Date): Date | null {
  if (exclusions.length === 0) return null;
  const date = localDate(at, timeZone);
  const hit = exclusions.find(({ from, to }) => from <= date && date <= to);
  return hit === undefined ? null : instantOf(addDays(hit.to, 1), '00:00', timeZone);
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
