import { parsePlainDate } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { refuse } from './issues.ts';

const formats = new Map<string, Intl.DateTimeFormat>();

/** A zone of the IANA database, e.g. `America/New_York`. Bare offsets are refused: they know no change of clocks. */
export function parseTimeZone(text: string, field = 'timezone'): string {
  if (!/^[A-Za-z][A-Za-z0-9_+\-/]{1,63}$/.test(text)) return unknownZone(text, field);
  try {
    dateFormat(text);
    return text;
  } catch {
    return unknownZone(text, field);
  }
}

/** The date a clock in `timeZone` shows at `instant`. */
export function localDate(instant: Date, timeZone: string): PlainDate {
  return parsePlainDate(dateFormat(timeZone).format(instant));
}

function dateFormat(timeZone: string): Intl.DateTimeFormat {
  const known = formats.get(timeZone);
  if (known !== undefined) return known;
  // Of all locales en-CA is the one that writes YYYY-MM-DD.
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone,
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
  });
  formats.set(timeZone, format);
  return format;
}

function unknownZone(text: string, field: string): never {
  return refuse(
    field,
    'unknown_timezone',
    `${JSON.stringify(text.slice(0, 64))} is not a time zone; allowed are IANA names such as UTC or America/New_York`,
  );
}
