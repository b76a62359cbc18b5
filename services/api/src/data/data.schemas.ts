import { z } from 'zod';
import { isPlainDate, ValidationError, WeekEnding } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { cleanSymbol, TIERS } from '@spine/finra-otc';
import { cursorPaging, offsetPaging } from '../http/paging.ts';
import { once } from '../http/query-values.ts';

const tier = once(z.enum(TIERS)).describe('One of FINRA’s groups of issues.');

/** A Friday; any other date is refused with the Fridays around it. */
const week = once(
  z.string().transform((text, ctx): PlainDate => {
    try {
      return WeekEnding.parse(text).date;
    } catch (error) {
      if (!(error instanceof ValidationError)) throw error;
      // Without the field's name, which the answer puts before it.
      for (const { message } of error.issues) ctx.addIssue({ code: 'custom', message });
      return z.NEVER;
    }
  }),
).optional();

/** The last moment of a UTC day that Postgres can tell. */
function endOfDay(date: PlainDate): string {
  return `${date}T23:59:59.999999Z`;
}

/** Kept as text: a Date would cut it to milliseconds, and what was captured in between would seem unknown. */
const asOf = once(
  z.string().transform((text, ctx): string => {
    if (isPlainDate(text)) return endOfDay(text);
    if (z.iso.datetime({ offset: true }).safeParse(text).success && !Number.isNaN(Date.parse(text))) return text;
    ctx.addIssue({
      code: 'custom',
      message: 'must be an instant such as 2026-01-31T12:00:00Z, or a date such as 2026-01-31 for the end of that UTC day',
    });
    return z.NEVER;
  }),
)
  .optional()
  .describe('What was known then, as it was known: an instant, or a date for the end of that UTC day. Default now.');

const weekDescription = 'A Friday, YYYY-MM-DD. Default: the newest week that was known.';

export const weeksQuery = z.strictObject({ tier, as_of: asOf, ...cursorPaging });
export type WeeksQuery = z.infer<typeof weeksQuery>;

export const symbolsQuery = z.strictObject({
  tier,
  week: week.describe(weekDescription),
  as_of: asOf,
  ...cursorPaging,
});
export type SymbolsQuery = z.infer<typeof symbolsQuery>;

export const historyQuery = z.strictObject({ tier, as_of: asOf, ...cursorPaging });
export type HistoryQuery = z.infer<typeof historyQuery>;

export const venuesQuery = z.strictObject({
  tier,
  week: week.describe(weekDescription),
  as_of: asOf,
  ...offsetPaging,
});
export type VenuesQuery = z.infer<typeof venuesQuery>;

const amount = z.string().describe('A whole number as decimal digits: it may be larger than a JSON number can carry.');

const provenance = {
  week_ending: z.string().describe('A Friday, YYYY-MM-DD.'),
  tier: z.enum(TIERS),
  capture_id: z.string().describe('What the figures are made of.'),
  captured_at: z.string().describe('When that was known: RFC 3339, UTC, to the microsecond.'),
};

export const weekJson = z
  .object({
    ...provenance,
    calc_version: z.string(),
    symbol_count: z.int(),
    venue_count: z.int(),
    total_shares: amount,
    total_trades: amount,
  })
  .meta({ id: 'DataWeek' });

export const symbolJson = z
  .object({
    symbol: z.string(),
    issue_name: z.string(),
    ...provenance,
    total_shares: amount,
    total_trades: amount,
    venue_count: z.int(),
    avg_trade_size: z
      .string()
      .nullable()
      .describe('Shares a trade, decimal, rounded half-even to 6 places; null without trades.'),
  })
  .meta({ id: 'DataSymbol' });

export const venueJson = z
  .object({
    mpid: z.string(),
    venue_name: z.string(),
    ...provenance,
    total_shares: amount,
    total_trades: amount,
    symbol_count: z.int(),
    share: z.string().describe('Part of the shares of the week, 0 to 1 with 10 places; all parts sum to exactly 1.'),
    rank: z.int(),
  })
  .meta({ id: 'DataVenue' });

/** A path's symbol in its clean spelling; null for text that is none. */
export function symbolOf(text: string): string | null {
  return cleanSymbol(text.slice(0, 100));
}
