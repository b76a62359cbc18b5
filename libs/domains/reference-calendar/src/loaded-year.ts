/**
 * A loaded file and the rules of the same year, put together.
 *
 * A file speaks for the kinds of days it lists and for no others: one that lists holidays alone says nothing of half days
 * or of a day of mourning, and those stay as the rules have them. Where the rules know nothing either, nothing is known
 * and none is assumed.
 */
import type { PlainDate } from '@spine/core';
import { EXCHANGES, ruledYear } from './exchanges.ts';
import type { ExchangeCode } from './exchanges.ts';
import { ENTRY_TYPES } from './calendar-file.ts';
import type { CalendarEntry, CalendarFile, EntryType } from './calendar-file.ts';
import type { ExchangeYear } from './model.ts';

/** Where each kind of day of a year is known from. */
export type YearSources = Readonly<Record<EntryType, 'loaded' | 'rules' | 'unknown'>>;

export interface LoadedYear {
  readonly year: ExchangeYear;
  readonly sources: YearSources;
}

/** A day of which file and rules say different things. */
export interface Disagreement {
  readonly date: PlainDate;
  /** What the file says; null when it says nothing of the day. */
  readonly file: DayClaim | null;
  /** What the rules say; null when they say nothing of the day. */
  readonly rules: DayClaim | null;
}

export interface DayClaim {
  readonly type: EntryType;
  readonly name: string;
  readonly close_time: string | null;
}

/** The year as it is known with a file loaded. */
export function withLoaded(file: Pick<CalendarFile, 'year' | 'entries'>, code: ExchangeCode): LoadedYear {
  const { year, entries } = file;
  const ruled = ruledYear(code, year);
  const listed = new Set(entries.map(({ type }) => type));
  const kept = entriesOf(ruled).filter(({ type }) => !listed.has(type));
  const loaded = new Set(entries.map(({ date }) => date));
  // A day the file names is what the file says it is, whatever kind the rules have it as.
  const all = [...entries, ...kept.filter(({ date }) => !loaded.has(date))].sort((a, b) =>
    a.date < b.date ? -1 : 1,
  );
  const sourceOf = (type: EntryType) => (listed.has(type) ? 'loaded' : ruled === null ? 'unknown' : 'rules');
  return {
    year: {
      exchangeCode: code,
      year,
      closedDays: all.flatMap(({ date, name, type }) =>
        type === 'early_close'
          ? []
          : [{ date, name, kind: type === 'special_closing' ? 'special_closing' : 'holiday' } as const],
      ),
      halfDays: all.flatMap(({ date, name, closeTime }) =>
        closeTime === null ? [] : [{ date, name, closesAt: closeTime }],
      ),
    },
    sources: {
      market_holiday: sourceOf('market_holiday'),
      special_closing: sourceOf('special_closing'),
      early_close: sourceOf('early_close'),
    },
  };
}

/** A year that the rules alone are asked for. */
export function byRules(code: ExchangeCode, year: number): LoadedYear {
  return {
    year: EXCHANGES[code].year(year),
    sources: { market_holiday: 'rules', special_closing: 'rules', early_close: 'rules' },
  };
}

/**
 * The days on which file and rules differ, oldest first, among the kinds that the file lists. Names are not compared:
 * everybody has his own. Null where there are no rules to compare with.
 */
export function disagreements(
  { year, entries }: Pick<CalendarFile, 'year' | 'entries'>,
  code: ExchangeCode,
): readonly Disagreement[] | null {
  const ruled = ruledYear(code, year);
  if (ruled === null) return null;
  const listed = new Set(entries.map(({ type }) => type));
  const byFile = new Map(entries.map((entry) => [entry.date, entry]));
  const rules = new Map(entriesOf(ruled).map((entry) => [entry.date, entry]));
  const dates = new Set([...byFile.keys(), ...rules.keys()]);
  return [...dates].sort().flatMap((date) => {
    const [inFile, inRules] = [byFile.get(date), rules.get(date)];
    if (inFile === undefined && inRules !== undefined && !listed.has(inRules.type)) return [];
    if (inFile?.type === inRules?.type && inFile?.closeTime === inRules?.closeTime) return [];
    return [{ date, file: claimOf(inFile), rules: claimOf(inRules) }];
  });
}

function claimOf(entry: CalendarEntry | undefined): DayClaim | null {
  return entry === undefined ? null : { type: entry.type, name: entry.name, close_time: entry.closeTime };
}

/** A year as a file would list it. */
function entriesOf(year: ExchangeYear | null): CalendarEntry[] {
  if (year === null) return [];
  const [holiday, special, early] = ENTRY_TYPES;
  return [
    ...year.closedDays.map(({ date, name, kind }) => ({
      date,
      name,
      type: kind === 'holiday' ? holiday : special,
      closeTime: null,
    })),
    ...year.halfDays.map(({ date, name, closesAt }) => ({ date, name, type: early, closeTime: closesAt })),
  ];
}
