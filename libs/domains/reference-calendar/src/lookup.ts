import { ValidationError } from '@spine/core';
import type { Db, DbTransaction } from '@spine/database';
import { capturedYears } from './captures.ts';
import type { CapturedYear } from './captures.ts';
import { ExchangeCalendar } from './exchange-calendar.ts';
import { EXCHANGES, isExchangeCode } from './exchanges.ts';
import type { ExchangeCode } from './exchanges.ts';
import { byRules, withLoaded } from './loaded-year.ts';
import type { LoadedYear, YearSources } from './loaded-year.ts';

/** Where a year of a calendar is known from. */
export interface YearProvenance {
  readonly year: number;
  /** Of the file that was used; null where the rules alone were. */
  readonly captureId: string | null;
  readonly sources: YearSources;
}

export interface StoredCalendar {
  readonly calendar: ExchangeCalendar;
  /** Of every year of the calendar, oldest first. */
  readonly provenance: readonly YearProvenance[];
}

/**
 * The calendar of an exchange: loaded files where there are any, the rules elsewhere.
 *
 * @param asOf what was known then. Default now.
 * @throws ValidationError for an exchange that is not known, naming those that are.
 */
export async function loadCalendar(
  db: Db | DbTransaction,
  exchangeCode: string,
  asOf?: Date,
): Promise<StoredCalendar> {
  if (!isExchangeCode(exchangeCode)) {
    const message = `${JSON.stringify(exchangeCode)} is not a known exchange; allowed are ${Object.keys(EXCHANGES).join(', ')}`;
    throw new ValidationError(`exchange_code: ${message}`, {
      issues: [{ field: 'exchange_code', code: 'unknown_exchange', message }],
    });
  }
  return mergeCalendar(exchangeCode, await capturedYears(db, exchangeCode, asOf));
}

/**
 * The same of captures at hand. A loaded year beyond the rules counts as far as years follow each other: a calendar has
 * no gaps.
 */
export function mergeCalendar(code: ExchangeCode, captures: readonly CapturedYear[]): StoredCalendar {
  const { hours, firstYear, lastYear } = EXCHANGES[code];
  const captured = new Map(captures.map((capture) => [capture.year, capture]));
  let [from, to] = [firstYear, lastYear];
  while (captured.has(from - 1)) from -= 1;
  while (captured.has(to + 1)) to += 1;
  const years: LoadedYear[] = [];
  const provenance: YearProvenance[] = [];
  for (let year = from; year <= to; year += 1) {
    const capture = captured.get(year);
    const known = capture === undefined ? byRules(code, year) : withLoaded(capture, code);
    years.push(known);
    provenance.push({ year, captureId: capture?.captureId ?? null, sources: known.sources });
  }
  return {
    calendar: new ExchangeCalendar(
      years.map(({ year }) => year),
      hours,
    ),
    provenance,
  };
}
