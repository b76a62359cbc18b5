import { SourceError } from '@spine/core';

/** The file of closing prices has none for that day and ticker. */
export class MissingCloseError extends SourceError {
  constructor(day: string, ticker: string, days: readonly string[]) {
    super(`there is no close of ${ticker} on ${day}; there are those of ${days.join(', ')}`, {
      retryable: false,
    });
  }
}
