import type { PlainDate } from '@spine/core';

/** What a calendar rule asks of an exchange. The scheduler service gives it the calendars it knows. */
export interface TradingCalendar {
  /** e.g. `XNYS`. */
  readonly exchange: string;
  /** @throws a permanent SpineError for a date outside the years the calendar knows. */
  isTradingDay(date: PlainDate): boolean;
}

export type TradingCalendars = ReadonlyMap<string, TradingCalendar>;
