import { Decimal, SpineError, ErrorCategory } from '@spine/core';
import type { WeekEnding } from '@spine/core';
import { ratio } from '@spine/core';
import { AVERAGE_PLACES } from './symbol-summary.ts';

/** A week in which the exchange did not open has no volume a day. */
export class NoTradingDaysError extends SpineError {
  static override readonly defaultCategory: ErrorCategory = ErrorCategory.VALIDATION;
}

/** Which days an exchange is open; what this calculation asks of a calendar. */
export interface TradingCalendar {
  readonly exchangeCode: string;
  tradingDaysOfWeek(week: WeekEnding): readonly unknown[];
}

/** How many days of the week, Monday to Friday, the exchange was open. @throws NoTradingDaysError for none. */
export function tradingDaysIn(week: WeekEnding, calendar: TradingCalendar): number {
  const days = calendar.tradingDaysOfWeek(week).length;
  if (days > 0) return days;
  throw new NoTradingDaysError(
    `${calendar.exchangeCode} has no trading day in the week ending ${week.date}; a volume per day is not defined`,
  );
}

export interface DailyVolume {
  /** Both rounded half-even to 6 places. */
  readonly sharesPerDay: Decimal;
  readonly tradesPerDay: Decimal;
}

/** @param tradingDays at least 1. */
export function dailyVolume(
  { totalShares, totalTrades }: { readonly totalShares: Decimal; readonly totalTrades: Decimal },
  tradingDays: number,
): DailyVolume {
  const days = new Decimal(tradingDays);
  const perDay = (total: Decimal): Decimal => {
    const value = ratio(total, days, AVERAGE_PLACES);
    if (value === null) throw new NoTradingDaysError('a volume per day needs at least one trading day');
    return value;
  };
  return { sharesPerDay: perDay(totalShares), tradesPerDay: perDay(totalTrades) };
}
