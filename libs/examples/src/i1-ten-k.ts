/** Annual reports as they were filed, and what they say, normalized. */
import { z } from 'zod';
import { addDays, ErrorCategory, parseDecimal, parsePlainDate, ratio } from '@spine/core';
import { StepResult } from '@spine/orchestration';
import { cik, decimalText } from './fields.ts';
import { readJsonFixture } from './fixtures.ts';

export const tenK = z.strictObject({
  cik,
  company: z.string(),
  fiscal_year: z.int(),
  period_start: z.iso.date(),
  period_end: z.iso.date(),
  filed: z.iso.date(),
  accession: z.string(),
  /** In USD. A figure that the report does not tag is not there. */
  facts: z.record(z.string(), decimalText),
});
export type TenK = z.infer<typeof tenK>;

export const filingKey = z.object({ cik, fiscal_year: z.int().min(1993).max(2100) });
export type FilingKey = z.infer<typeof filingKey>;

/** The report of a filer's year; null when there is none. */
export async function findTenK(key: FilingKey): Promise<TenK | null> {
  const reports = z.array(tenK).parse(await readJsonFixture('tenK'));
  return reports.find((each) => each.cik === key.cik && each.fiscal_year === key.fiscal_year) ?? null;
}

export const REQUIRED_FACTS = ['revenue', 'net_income'] as const;

/** Every required figure is there; else DATA_QUALITY, which no retry mends. */
export function requireFacts({ facts }: Pick<TenK, 'facts'>): StepResult {
  const missing = REQUIRED_FACTS.filter((name) => !Object.hasOwn(facts, name));
  if (missing.length > 0) {
    return StepResult.fail(`missing ${missing.join(', ')}`, { category: ErrorCategory.DATA_QUALITY });
  }
  return StepResult.ok({ quality: 'passed', fields_checked: REQUIRED_FACTS.length });
}

export const normalizedTenK = z.strictObject({
  cik,
  fiscal_year: z.int(),
  filed: z.iso.date(),
  /** Days of the fiscal year: from inclusive, to exclusive. */
  valid_from: z.iso.date(),
  valid_to: z.iso.date(),
  facts: z.strictObject({ revenue: decimalText, net_income: decimalText, net_margin: decimalText }),
});
export type NormalizedTenK = z.infer<typeof normalizedTenK>;

/** @throws ValidationError for figures that {@link requireFacts} would refuse. */
export function normalizeTenK(report: TenK): NormalizedTenK {
  const facts = new Map(Object.entries(report.facts));
  const [revenue = '', net_income = ''] = REQUIRED_FACTS.map((name) => facts.get(name));
  // A filer without revenue has no margin: 0.
  const margin = ratio(parseDecimal(net_income, 'net_income'), parseDecimal(revenue, 'revenue'), 4);
  return {
    cik: report.cik,
    fiscal_year: report.fiscal_year,
    filed: report.filed,
    valid_from: report.period_start,
    valid_to: addDays(parsePlainDate(report.period_end), 1),
    facts: { revenue, net_income, net_margin: margin?.toString() ?? '0' },
  };
}
