/** What a whole week is asked before it counts as refreshed: its stages, captures and totals together. Pure. */
import { Decimal, parseDecimal, QualityCategory, qualityFail, qualityPass } from '@spine/core';
import type { QualityCheck, QualityResult } from '@spine/core';
import type { StageName } from '../stages.ts';
import type { Tier } from '../vocabulary.ts';

/** The stages a tier has to have reached. */
export const WEEK_STAGES = ['INGESTED', 'NORMALIZED', 'AGGREGATED', 'VENUE_SHARE', 'ROLLING'] as const;
export type WeekStage = (typeof WEEK_STAGES)[number] & StageName;

/** Totals of one capture, as decimal text. */
export interface Totals {
  readonly shares: string;
  readonly trades: string;
}

/** What is stored of a tier's week. */
export interface TierFacts {
  readonly tier: Tier;
  /** The newest capture; null when the week was never normalized. */
  readonly captureId: string | null;
  /** The captures that stages were made of; null for a stage that names none. */
  readonly stages: ReadonlyMap<string, string | null>;
  /** Rows that were looked at and those that were refused, by the last ingest and when it was normalized. */
  readonly rows: { readonly seen: number; readonly rejected: number };
  /** The same volume, summed from different tables; null for a table without rows. */
  readonly totals: {
    readonly normalized: Totals | null;
    readonly symbols: Totals | null;
    readonly venues: Totals | null;
  };
}

export interface WeekToCheck {
  readonly tiers: readonly TierFacts[];
  /** Of the rows of a tier, the part that may be refused: decimal text, 0 to 1. */
  readonly maxRejectRate: string;
}

/** Places of a rate. */
const RATE_PLACES = 4;

/** Refused rows of those that were looked at; 0 where there were none. */
export function rejectRateOf({ rows }: TierFacts): Decimal {
  if (rows.seen === 0) return new Decimal(0);
  return new Decimal(rows.rejected).div(rows.seen);
}

export const WEEK_CHECKS: readonly QualityCheck<WeekToCheck>[] = [
  {
    name: 'week_stages_reached',
    category: QualityCategory.COMPLETENESS,
    check: ({ tiers }) =>
      verdict(
        tiers.flatMap(({ tier, stages }) =>
          WEEK_STAGES.filter((stage) => !stages.has(stage)).map(
            (stage) => `${tier} has not reached ${stage}`,
          ),
        ),
        `${tiers.length} tiers have reached ${WEEK_STAGES.join(', ')}`,
      ),
  },
  {
    name: 'week_of_one_capture',
    category: QualityCategory.INTEGRITY,
    check: ({ tiers }) =>
      verdict(
        tiers.flatMap(({ tier, captureId, stages }) =>
          WEEK_STAGES.filter(
            (stage) => stage !== 'INGESTED' && (stages.get(stage) ?? null) !== captureId,
          ).map(
            (stage) =>
              `${stage} of ${tier} is made of ${stages.get(stage) ?? 'no capture'}, the newest is ${captureId}`,
          ),
        ),
        `every stage is made of the newest capture of its tier`,
      ),
  },
  {
    name: 'week_totals_agree',
    category: QualityCategory.INTEGRITY,
    check: ({ tiers }) =>
      verdict(
        tiers.flatMap(({ tier, totals }) =>
          differencesOf(totals).map((difference) => `${tier}: ${difference}`),
        ),
        'rows, symbols and venues have the same shares and trades',
      ),
  },
  {
    name: 'week_rejects',
    category: QualityCategory.BUSINESS_RULE,
    check: ({ tiers, maxRejectRate }) => {
      const most = parseDecimal(maxRejectRate, 'max_reject_rate');
      const worst = tiers.map(rejectRateOf).reduce((a, b) => Decimal.max(a, b), new Decimal(0));
      const over = tiers.filter((each) => rejectRateOf(each).gt(most));
      const values = [worst.toDecimalPlaces(RATE_PLACES).toString(), `<= ${maxRejectRate}`] as const;
      if (over.length === 0) return qualityPass('no tier has more rejects than allowed', ...values);
      const named = over.map(
        ({ tier, rows }) => `${tier}: ${rows.rejected} of ${rows.seen} rows were refused`,
      );
      return qualityFail(`${named.join('; ')}; allowed is a part of ${maxRejectRate}`, ...values);
    },
  },
];

function differencesOf({ normalized, symbols, venues }: TierFacts['totals']): string[] {
  if (normalized === null) return ['there are no normalized rows'];
  return Object.entries({ symbols, venues }).flatMap(([of, totals]) => {
    if (totals === null) return [`there are no ${of}`];
    return (['shares', 'trades'] as const)
      .filter((what) => !parseDecimal(totals[what]).eq(parseDecimal(normalized[what])))
      .map((what) => `${totals[what]} ${what} by ${of}, ${normalized[what]} in the rows`);
  });
}

function verdict(wrong: readonly string[], right: string): QualityResult {
  if (wrong.length === 0) return qualityPass(right, '0', '0');
  return qualityFail(wrong.join('; '), String(wrong.length), '0');
}
