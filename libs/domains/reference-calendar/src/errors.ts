import { ValidationError } from '@spine/core';
import type { PlainDate } from '@spine/core';

/** A date of which the calendar knows nothing. It is never guessed: a guess would be right on most days. */
export class CalendarRangeError extends ValidationError {
  /** @param field what the date was given as. */
  constructor(exchangeCode: string, date: PlainDate, from: PlainDate, to: PlainDate, field = 'date') {
    const message = `${date} is outside the calendar of ${exchangeCode}; allowed are dates from ${from} to ${to}`;
    super(`${field}: ${message}`, { issues: [{ field, code: 'outside_calendar', message }] });
  }
}
