/** Fields that several examples have. */
import { z } from 'zod';
import { isDecimalText, isPlainDate, parsePlainDate } from '@spine/core';
import type { PlainDate } from '@spine/core';

/** Money and prices travel as decimal text. */
export const decimalText = z.string().refine(isDecimalText, 'must be decimal text, e.g. "12.50"');

export const plainDate: z.ZodType<PlainDate, string> = z
  .string()
  .refine(isPlainDate, 'must be a date, e.g. "2025-01-31"')
  .transform((text) => parsePlainDate(text));

/** A Central Index Key of the SEC, with its leading zeros. */
export const cik = z.string().regex(/^\d{10}$/, 'must be ten digits');

export const ticker = z.string().regex(/^[A-Z][A-Z.-]{0,9}$/, 'must be a ticker, e.g. "AAPL"');

/** The first instant of a day, in UTC. */
export function startOfDay(date: string): Date {
  return new Date(`${date}T00:00:00Z`);
}
