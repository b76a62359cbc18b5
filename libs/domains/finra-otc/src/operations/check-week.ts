/**
 * The quality gates of a whole week. What the gates of single calculations cannot see: a tier that was left out, figures
 * of different captures, tables that no longer say the same, too many rows that were refused.
 *
 * 1. It reads under the locks of the tiers, so that nothing it looks at is being rebuilt.
 * 2. Results, the stage and the end of the run commit together; after a FAIL the results and an anomaly do, and the stage
 *    stays what it was.
 */
import { z } from 'zod';
import { Decimal, isDecimalText, QualityRunner } from '@spine/core';
import type { WeekEnding } from '@spine/core';
import type { DbTransaction } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { checkQualityGate } from '@spine/execution';
import { lockCaptures } from '../repository.ts';
import { STAGES } from '../stages.ts';
import { lockPartition } from '../tables/captures.ts';
import { tierFacts } from '../tables/week-facts.ts';
import { DOMAIN, TIERS } from '../vocabulary.ts';
import type { Tier } from '../vocabulary.ts';
import { lockOf } from './capture-inputs.ts';
import { tier, weekEnding } from './params.ts';
import { rejectRateOf, WEEK_CHECKS } from './week-checks.ts';
import type { TierFacts, WeekToCheck } from './week-checks.ts';

/** This project's own: a file with more than one bad row in twenty is not the file it should be. */
export const DEFAULT_REJECT_RATE = '0.05';

export const rejectRate = z
  .string()
  .max(20)
  .refine((text) => isDecimalText(text) && new Decimal(text).gte(0) && new Decimal(text).lte(1), {
    error: 'must be a decimal number from 0 to 1, as text, for example "0.05"',
  })
  .describe('Of the rows of a tier, the part that may be refused: decimal text from 0 to 1.');

export const checkWeekParams = z.strictObject({
  week_ending: weekEnding.describe('A Friday, YYYY-MM-DD.'),
  tiers: z.array(tier).min(1).max(TIERS.length).describe('The tiers that must be complete.'),
  max_reject_rate: rejectRate.default(DEFAULT_REJECT_RATE),
});
export type CheckWeekParams = z.output<typeof checkWeekParams>;

const STAGE = 'WEEK_CHECKED';

/** The calculations whose tables are compared. */
const LOCKED = ['normalize', 'symbol_summary', 'venue_share', 'rolling'] as const;

/** The handler of `operation:finra.otc_transparency.check_week`. @throws QualityGateError naming the checks that failed. */
export function checkWeek(params: CheckWeekParams, ctx: HandlerContext) {
  const week = params.week_ending;
  return ctx.publish(async (publication) => {
    const wanted = TIERS.filter((each) => params.tiers.includes(each));
    const tiers: TierFacts[] = [];
    for (const each of wanted) {
      await lockTier(publication.trx, each, week);
      tiers.push(await tierFacts(publication.trx, week.date, each));
    }
    const runner = new QualityRunner<WeekToCheck>();
    for (const check of WEEK_CHECKS) runner.add(check);
    const gate = { domain: DOMAIN, partitionKey: { week_ending: week.date }, stage: STAGE };
    const toCheck = { tiers, maxRejectRate: params.max_reject_rate };
    const outcomes = await checkQualityGate(ctx, gate, runner, toCheck);
    await publication.quality(gate, outcomes);
    const checked = tiers.map(summaryOf);
    await publication.stage({
      ...gate,
      stageRank: STAGES.rankOf(STAGE),
      rowCount: tiers.length,
      metrics: { tiers: checked, max_reject_rate: params.max_reject_rate },
    });
    return {
      week_ending: week.date,
      stage: STAGE,
      tiers: checked,
      checks: outcomes.map(({ checkName, status, message }) => ({ check: checkName, status, message })),
    };
  });
}

/** In the order in which normalizing takes its two. */
async function lockTier(trx: DbTransaction, of: Tier, week: WeekEnding): Promise<void> {
  for (const calc of LOCKED) await lockPartition(trx, lockOf(calc, { week_ending: week, tier: of }));
  await lockCaptures(trx, { tier: of, weekEnding: week });
}

function summaryOf(facts: TierFacts) {
  const { tier: name, captureId, rows, totals } = facts;
  return {
    tier: name,
    capture_id: captureId,
    total_shares: totals.normalized?.shares ?? null,
    total_trades: totals.normalized?.trades ?? null,
    rows_seen: rows.seen,
    rows_rejected: rows.rejected,
    reject_rate: rejectRateOf(facts).toDecimalPlaces(4).toString(),
  };
}
