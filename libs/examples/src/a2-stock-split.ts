/**
 * A2: prices before a split, in the shares of today.
 *
 * `build_chain` puts the splits into an AdjustmentChain. A price of a day is divided by the factors that became effective
 * after it: with a 7-for-1 and a 4-for-1 to come, one share of then is 28 of today. `audit_corrections` holds the result
 * against a vendor's series, and every price that is off becomes a CorrectionRecord with both values and the reason: what
 * was published is corrected by saying so, never by overwriting it.
 *
 * Fractions stay fractions until the price is rounded, once, to its places.
 */
import { z } from 'zod';
import {
  AdjustmentChain,
  adjustmentFactor,
  AdjustmentMethod,
  CorrectionReason,
  CorrectionRecord,
  NotFoundError,
  parseDecimal,
  Rational,
  systemClock,
} from '@spine/core';
import type { Clock, JsonObject } from '@spine/core';
import { workflow } from '@spine/orchestration';
import type { ManagedWorkflow } from '@spine/orchestration';
import { checked } from './checked.ts';
import { registerManaged } from './example-module.ts';
import type { ExampleModule } from './example-module.ts';
import { decimalText, plainDate, ticker } from './fields.ts';
import { readJsonFixture } from './fixtures.ts';

const NAME = 'examples.a2_stock_split';
const TITLE = 'Stock Split Adjustment Pipeline';

const split = z.strictObject({ effective_date: plainDate, factor: z.string().describe('New for old: 4:1.') });
const splits = z.array(split).max(1_000);
const asked = z.object({ ticker, as_of: plainDate, splits: splits.optional() });

async function buildChain(values: object) {
  const { ticker, as_of, splits: given } = checked(asked, values);
  const known = given ?? (await splitsOf(ticker));
  const chain = chainOf(known);
  return {
    splits: [...chain.factors].map(({ effectiveDate, factor }) => ({
      effective_date: effectiveDate,
      factor: factor.toString(),
    })),
    factor_count: chain.factors.length,
    composite_factor: chain.compositeAsOf(as_of).toString(),
  };
}

/** @throws NotFoundError */
async function splitsOf(ticker: string): Promise<z.output<typeof splits>> {
  const files = z.record(z.string(), splits).parse(await readJsonFixture('splits'));
  const found = new Map(Object.entries(files)).get(ticker);
  if (found !== undefined) return found;
  throw new NotFoundError(`no splits of ${ticker} are known; give them as the param splits`);
}

function chainOf(list: z.output<typeof splits>): AdjustmentChain {
  return new AdjustmentChain(
    list.map(({ effective_date, factor }) =>
      adjustmentFactor({ effectiveDate: effective_date, factor, method: AdjustmentMethod.SPLIT }),
    ),
  );
}

const price = z.strictObject({ date: plainDate, close: decimalText });
const prices = z.array(price).min(1).max(10_000);
const adjusting = z.object({
  as_of: plainDate,
  splits,
  prices,
  places: z.int().min(0).max(10).default(4),
});

/** Each price in the shares of `as_of`. */
function adjustPrices(values: object) {
  const { as_of, splits: list, prices: raw, places } = checked(adjusting, values);
  const chain = chainOf(list);
  return {
    adjusted: raw.map(({ date, close }) => {
      const factor = chain.factorBetween(date, as_of);
      const adjusted = Rational.fromDecimal(parseDecimal(close)).over(factor).toDecimal(places);
      return { date, raw: close, factor: factor.toString(), close: adjusted.toString() };
    }),
  };
}

const auditing = z.object({
  ticker,
  adjusted: z.array(z.object({ date: z.iso.date(), close: decimalText })),
  vendor: prices.default([]),
  tolerance: decimalText.default('0'),
});

/** A correction for every price of the vendor that is further off than the tolerance. */
function auditCorrections(clock: Clock) {
  return (values: object): JsonObject => {
    const { ticker, adjusted, vendor, tolerance } = checked(auditing, values);
    const ours = new Map(adjusted.map(({ date, close }) => [date, parseDecimal(close)]));
    const compared = vendor.filter(({ date }) => ours.has(date));
    const corrections = compared.flatMap(({ date, close }) => {
      const [original, corrected] = [parseDecimal(close), ours.get(date)];
      if (corrected === undefined) return [];
      const difference = corrected.minus(original).abs();
      if (difference.lte(parseDecimal(tolerance))) return [];
      return [
        CorrectionRecord.create({
          entityKey: ticker,
          fieldName: `adjusted_close:${date}`,
          originalValue: original,
          correctedValue: corrected,
          reason: CorrectionReason.VENDOR_CORRECTION,
          correctedBy: NAME,
          correctedAt: clock.now(),
          sourceRef: 'params.vendor',
        }).toJSON(),
      ];
    });
    return { compared: compared.length, corrections };
  };
}

export function stockSplit(clock: Clock = systemClock): ManagedWorkflow {
  return workflow(NAME, { domain: 'examples', description: TITLE, tags: ['example', 'playground'] })
    .step('build_chain', buildChain)
    .step('adjust_prices', adjustPrices)
    .step('audit_corrections', auditCorrections(clock))
    .outputs({
      composite_factor: '{{ steps.build_chain.output.composite_factor }}',
      adjusted: '{{ steps.adjust_prices.output.adjusted }}',
      corrections: '{{ steps.audit_corrections.output.corrections }}',
    })
    .build();
}

export const a2StockSplit: ExampleModule = {
  example: {
    name: NAME,
    title: TITLE,
    level: 'advanced',
    description:
      'An AdjustmentChain of splits, prices in the shares of today, and corrections of a vendor by record.',
    source: new URL(import.meta.url),
    run: {
      kind: 'workflow',
      name: NAME,
      params: {
        ticker: 'AAPL',
        as_of: '2020-09-01',
        prices: [
          { date: '2014-06-06', close: '645.57' },
          { date: '2014-06-09', close: '93.70' },
          { date: '2020-08-28', close: '499.23' },
          { date: '2020-08-31', close: '129.04' },
        ],
        vendor: [
          { date: '2014-06-06', close: '23.0561' },
          { date: '2020-08-28', close: '124.81' },
        ],
        tolerance: '0.001',
      },
    },
    tags: ['workflow', 'finance', 'adjustments', 'corrections', 'playground'],
  },
  register: (to) => {
    registerManaged(to, stockSplit());
  },
};
