/**
 * Cron expressions: five fields (minute first) or six (second first), names, ranges, steps, L, W and #.
 *
 * A local time that a change of clocks leaves out fires once, at the first moment after the gap; one that comes twice
 * fires once, the first time. That is what croner does for times it takes as fixed. An expression whose hours are given
 * as numbers is such a time even where its minutes are a step; without the spelling out below, `*\/30 2 * * *` would
 * not fire at all on the day without a two o'clock. An hour of `*` or with a step counts elapsed time: every half hour
 * stays every half hour.
 */
import { Cron } from 'croner';
import { refuse } from './issues.ts';

/** `0 0 29 2 *` waits up to eight years (1896 to 1904, 2096 to 2104); what has no time in this span has none. */
const HORIZON_YEARS = 9;

const ALIASES: Readonly<Record<string, string>> = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};

export interface CronRule {
  readonly expression: string;
  readonly timeZone: string;
  /** The first time after `after`, exclusively; null when there is none in sight. */
  next(after: Date): Date | null;
}

const rules = new Map<string, CronRule>();
const MAX_RULES = 10_000;

/** @throws ValidationError naming `field` for what is no expression, and for one that can never fire. */
export function parseCron(expression: string, timeZone: string, field = 'cron_expression'): CronRule {
  const key = `${timeZone} ${expression}`;
  const known = rules.get(key);
  if (known !== undefined) return known;
  const rule = build(expression, timeZone, field);
  if (rules.size >= MAX_RULES) rules.clear();
  rules.set(key, rule);
  return rule;
}

function build(expression: string, timeZone: string, field: string): CronRule {
  const pattern = spellOut(expression, field);
  let cron: Cron;
  try {
    cron = new Cron(pattern, {
      timezone: timeZone,
      mode: '5-or-6-parts',
      fixedTimeRule: 'no-wildcard',
      paused: true,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^\w+: /, '') : String(error);
    return refuse(field, 'invalid_cron', `${quoted(expression)} is not a cron expression: ${reason}`);
  }
  const next = (after: Date): Date | null => {
    const found = cron.nextRun(after);
    if (found === null) return null;
    const horizon = new Date(after);
    horizon.setUTCFullYear(horizon.getUTCFullYear() + HORIZON_YEARS);
    return found > horizon ? null : found;
  };
  // A year before a leap year: every date of the calendar comes within the horizon.
  if (next(new Date(Date.UTC(2024, 11, 31))) === null)
    return refuse(field, 'never_fires', `${quoted(expression)} names no date that exists`);
  return { expression, timeZone, next };
}

function spellOut(expression: string, field: string): string {
  const trimmed = expression.trim();
  if (trimmed.startsWith('@')) {
    return (
      ALIASES[trimmed.toLowerCase()] ??
      refuse(
        field,
        'invalid_cron',
        `${quoted(expression)} is not an alias; allowed are ${Object.keys(ALIASES).join(', ')}`,
      )
    );
  }
  const fields = trimmed.split(/\s+/);
  if (fields.length < 5 || fields.length > 6)
    return refuse(
      field,
      'invalid_cron',
      `${quoted(expression)} has ${fields.length} fields; allowed are five (minute hour day month weekday) or six (second first)`,
    );
  // croner puts the present time in place of a question mark: the same text would mean something else each time.
  if (trimmed.includes('?'))
    return refuse(field, 'invalid_cron', `${quoted(expression)} has a ?; write * for any`);
  const hour = fields.length === 6 ? 2 : 1;
  if (/[*/]/.test(fields[hour] ?? '')) return fields.join(' ');
  return fields.map((each, index) => (index < hour ? listed(each) : each)).join(' ');
}

/** A field of minutes or seconds without wildcard or step; as it is when it is out of form, for croner to refuse. */
function listed(field: string): string {
  const parts = field.split(',').map((part) => {
    const match = /^(?:\*|(\d{1,2})-(\d{1,2}))(?:\/(\d{1,2}))?$/.exec(part);
    if (match === null) return part;
    const [, low = '0', high = '59', step = '1'] = match;
    const [from, to, by] = [Number(low), Number(high), Number(step)];
    if (by < 1 || by > 59 || from > to || to > 59) return part;
    const values: number[] = [];
    for (let value = from; value <= to; value += by) values.push(value);
    return values.join(',');
  });
  return parts.join(',');
}

function quoted(expression: string): string {
  return JSON.stringify(expression.slice(0, 120));
}
