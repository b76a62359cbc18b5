/**
 * The calendar of one exchange and year as a JSON file gives it.
 *
 * A file is taken whole or refused whole, with everything that is wrong with it. What it says counts, not how: entries are
 * put in the order of their dates, names are trimmed.
 */
import { z } from 'zod';
import {
  DayOfWeek,
  dayOfWeek,
  err,
  hashJson,
  isPlainDate,
  isStorableText,
  ok,
  parseStrictJson,
} from '@spine/core';
import type { PlainDate, Result, ValidationIssue } from '@spine/core';
import { yearOf } from './dates.ts';
import { EXCHANGES } from './exchanges.ts';
import type { LocalTime } from './model.ts';

/** What a file may say of a day. */
export const ENTRY_TYPES = ['market_holiday', 'special_closing', 'early_close'] as const;
export type EntryType = (typeof ENTRY_TYPES)[number];

export interface CalendarEntry {
  readonly date: PlainDate;
  readonly name: string;
  readonly type: EntryType;
  /** Of an early close alone. */
  readonly closeTime: LocalTime | null;
}

export interface CalendarFile {
  readonly exchangeCode: string;
  readonly year: number;
  /** Oldest first, one a day, at least one. */
  readonly entries: readonly CalendarEntry[];
}

const CLOSE_TIME = /^(?:[01]\d|2[0-3]):[0-5]\d$/;
const MAX_ENTRIES = 366;

const entry = z.strictObject({
  date: z.string(),
  name: z.string().trim().min(1).max(200),
  type: z.enum(ENTRY_TYPES),
  close_time: z.string().optional(),
});
const file = z.strictObject({
  exchange_code: z.string(),
  year: z.int().min(1900).max(2999),
  holidays: z.array(entry).min(1).max(MAX_ENTRIES),
});
type Given = z.infer<typeof file>;

/** Reads a calendar file, or says everything that is wrong with it. */
export function parseCalendarFile(text: string): Result<CalendarFile, readonly ValidationIssue[]> {
  const json = parseStrictJson(text.startsWith('\uFEFF') ? text.slice(1) : text);
  if (!json.ok) return err(json.error);
  const parsed = file.safeParse(json.value);
  if (!parsed.success) {
    return err(
      parsed.error.issues.map(({ path, code, message }) => ({
        field: path
          .map((part, index) =>
            typeof part === 'number' ? `[${part}]` : `${index > 0 ? '.' : ''}${String(part)}`,
          )
          .join(''),
        code,
        message,
      })),
    );
  }
  const issues = problemsOf(parsed.data);
  if (issues.length > 0) return err(issues);
  const entries = parsed.data.holidays.map(toEntry).sort((a, b) => (a.date < b.date ? -1 : 1));
  return ok({ exchangeCode: parsed.data.exchange_code, year: parsed.data.year, entries });
}

/** SHA-256 over what a file says: equal for files that say the same. */
export function contentHash({ exchangeCode, year, entries }: CalendarFile): string {
  return hashJson([
    exchangeCode,
    year,
    entries.map(({ date, name, type, closeTime }) => [date, name, type, closeTime]),
  ]);
}

function toEntry({ date, name, type, close_time }: Given['holidays'][number]): CalendarEntry {
  return { date: date as PlainDate, name, type, closeTime: (close_time ?? null) as LocalTime | null };
}

function problemsOf({ exchange_code, year, holidays }: Given): ValidationIssue[] {
  const issues: ValidationIssue[] = [];
  if (!Object.hasOwn(EXCHANGES, exchange_code)) {
    const message = `${JSON.stringify(exchange_code)} is not a known exchange; allowed are ${Object.keys(EXCHANGES).join(', ')}`;
    issues.push({ field: 'exchange_code', code: 'unknown_exchange', message });
  }
  const seen = new Set<string>();
  for (const [index, day] of holidays.entries()) {
    const problem = problemOf(day, year, seen);
    if (problem !== null) issues.push({ ...problem, field: `holidays[${index}].${problem.field}` });
    seen.add(day.date);
  }
  return issues;
}

function problemOf(
  { date, name, type, close_time }: Given['holidays'][number],
  year: number,
  seen: ReadonlySet<string>,
): ValidationIssue | null {
  const shown = JSON.stringify(date);
  if (!isPlainDate(date)) {
    return { field: 'date', code: 'invalid_date', message: `${shown} is not a calendar date as YYYY-MM-DD` };
  }
  if (yearOf(date) !== year)
    return { field: 'date', code: 'other_year', message: `${shown} is not in ${year}` };
  if (seen.has(date)) return { field: 'date', code: 'duplicate', message: `${shown} stands there twice` };
  if (dayOfWeek(date) > DayOfWeek.FRIDAY) {
    const message = `${shown} is on a weekend, which is closed anyway; allowed is the day a holiday is kept on`;
    return { field: 'date', code: 'weekend', message };
  }
  if (!isStorableText(name))
    return { field: 'name', code: 'invalid_text', message: 'cannot be stored as text' };
  if (type === 'early_close' && (close_time === undefined || !CLOSE_TIME.test(close_time))) {
    const message = `${JSON.stringify(close_time ?? null)} is not a time of day; an early close has one, as HH:MM`;
    return { field: 'close_time', code: 'invalid_time', message };
  }
  if (type !== 'early_close' && close_time !== undefined) {
    return { field: 'close_time', code: 'not_allowed', message: `a ${type} has no close_time` };
  }
  return null;
}
