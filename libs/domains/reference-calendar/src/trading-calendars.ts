import type { PlainDate } from '@spine/core';
import { xnys } from './xnys.ts';

/** What a schedule's calendar rule asks of an exchange. */
export interface KnownTradingCalendar {
  readonly exchange: string;
  /** @throws CalendarRangeError outside the years the calendar knows. */
  isTradingDay(date: PlainDate): boolean;
}

/** The calendars this package knows by rule, by exchange. */
export function tradingCalendars(): ReadonlyMap<string, KnownTradingCalendar> {
  const calendar = xnys();
  const exchange = calendar.exchangeCode;
  return new Map([[exchange, { exchange, isTradingDay: (date) => calendar.isTradingDay(date) }]]);
}
