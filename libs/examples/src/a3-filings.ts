/** A quarterly report and its amendments, as beliefs on two time axes. Pure: what the store does, done in memory. */
import { z } from 'zod';
import {
  addDays,
  canonicalJson,
  parseDecimal,
  parsePlainDate,
  recordAsOf,
  supersede,
  timeInterval,
} from '@spine/core';
import type { BiTemporalRecord, Interval } from '@spine/core';
import { cik, decimalText, plainDate, startOfDay } from './fields.ts';

export const figures = z.strictObject({ revenue: decimalText, eps: decimalText });
export type Figures = z.infer<typeof figures>;

export const reportFiling = figures.extend({ form: z.string().min(1).max(20), filed: plainDate });
export type ReportFiling = z.output<typeof reportFiling>;

export const reported = z.object({
  cik,
  period_start: plainDate,
  period_end: plainDate,
  /** In the order in which they were filed. */
  filings: z.array(reportFiling).min(1).max(100),
});
export type Reported = z.output<typeof reported>;

/** The days that the report is about. @throws ValidationError for a period that ends before it begins. */
export function periodOf({
  period_start,
  period_end,
}: Pick<Reported, 'period_start' | 'period_end'>): Interval {
  return timeInterval(startOfDay(period_start), startOfDay(addDays(parsePlainDate(period_end), 1)), 'period');
}

export function figuresOf({ revenue, eps }: Figures): Figures {
  return { revenue, eps };
}

/**
 * Every belief about the period, if each filing had been believed from the day it was filed on.
 * @throws ValidationError for filings that are not in order.
 */
export function beliefsOf(report: Reported): readonly BiTemporalRecord<Figures>[] {
  return report.filings.reduce<readonly BiTemporalRecord<Figures>[]>(
    (history, filing) =>
      supersede(
        history,
        { type: 'assert', valid: periodOf(report), payload: figuresOf(filing) },
        startOfDay(filing.filed),
        (a, b) => canonicalJson(a) === canonicalJson(b),
      ),
    [],
  );
}

/** What was believed of the period on a day; null before the first filing. */
export function believedOn(report: Reported, day: string): Figures | null {
  const beliefs = beliefsOf(report);
  return recordAsOf(beliefs, periodOf(report).from, startOfDay(day))?.payload ?? null;
}

/** How far the second is from the first, exactly. */
export function restatement(before: Figures, now: Figures) {
  const delta = (name: keyof Figures) => parseDecimal(now[name]).minus(parseDecimal(before[name])).toString();
  return { revenue_delta: delta('revenue'), eps_delta: delta('eps') };
}
