import { ExchangeCalendar } from './exchange-calendar.ts';
import { XNYS_FIRST_YEAR, XNYS_HOURS, XNYS_LAST_YEAR, xnysYear } from './xnys-rules.ts';

let calendar: ExchangeCalendar | null = null;

/** The New York Stock Exchange by its rules, 1990 to 2035. One immutable value, made when it is first asked for. */
export function xnys(): ExchangeCalendar {
  calendar ??= new ExchangeCalendar(
    Array.from({ length: XNYS_LAST_YEAR - XNYS_FIRST_YEAR + 1 }, (_, index) =>
      xnysYear(XNYS_FIRST_YEAR + index),
    ),
    XNYS_HOURS,
  );
  return calendar;
}
