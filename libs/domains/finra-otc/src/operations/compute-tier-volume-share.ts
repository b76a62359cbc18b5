import { nonNegative, QualityCategory, qualityPass, qualityWarn, rowCountAtLeast } from '@spine/core';
import { replaceForKey } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { CALCS } from '../calcs/registry.ts';
import { tierShares } from '../calcs/tier-share.ts';
import type { TierShare } from '../calcs/tier-share.ts';
import { MissingInputError } from '../errors.ts';
import { TIER_SHARE } from '../tables/calc-tables.ts';
import { aggregatedWeeks } from '../tables/inputs.ts';
import type { WeekTotals } from '../tables/inputs.ts';
import { TIERS } from '../vocabulary.ts';
import { captureSetOf } from './capture-inputs.ts';
import { ranksConsecutive, sharesSumToOne } from './checks.ts';
import { AGGREGATE_WEEK } from './names.ts';
import type { WeekParams } from './params.ts';
import { runStep } from './step.ts';
import type { StepInputs } from './step.ts';

const CALC = 'tier_volume_share';

interface Inputs extends StepInputs {
  /** In the order of the tiers. */
  readonly tiers: readonly WeekTotals[];
}

/** The handler of `operation:finra.otc_transparency.compute_tier_volume_share`. */
export function computeTierVolumeShare(params: WeekParams, ctx: HandlerContext) {
  const week = params.week_ending.date;
  return runStep<Inputs, readonly TierShare[]>(ctx, {
    calc: CALC,
    stage: 'TIER_VOLUME_SHARE',
    calcVersion: params.calc_version,
    force: params.force,
    lock: `${CALC}:${week}`,
    checks: [
      rowCountAtLeast({ name: 'tiers', minimum: 1, count: (tiers) => tiers.length }),
      sharesSumToOne((tiers) => tiers),
      nonNegative({ name: 'shares_non_negative', values: (tiers) => tiers.map(({ share }) => share) }),
      ranksConsecutive((tiers) => tiers),
      {
        name: 'all_tiers_present',
        category: QualityCategory.COMPLETENESS,
        check: (tiers) => {
          const values = [String(tiers.length), String(TIERS.length)] as const;
          const message = `${tiers.length} of ${TIERS.length} tiers are captured`;
          return tiers.length === TIERS.length
            ? qualityPass(message, ...values)
            : qualityWarn(message, ...values);
        },
      },
    ],
    inputs: async (trx, version) => {
      const calcVersion = CALCS.current('symbol_summary');
      const found = await aggregatedWeeks(trx, {
        from: week,
        to: week,
        tiers: TIERS,
        calcVersion,
        asOf: null,
      });
      if (found.length === 0) {
        throw new MissingInputError(
          `there is no symbol summary (${calcVersion}) of any tier for the week ending ${week}; run ${AGGREGATE_WEEK} first`,
        );
      }
      const tiers = found.toSorted((a, b) => TIERS.indexOf(a.tier) - TIERS.indexOf(b.tier));
      return {
        tiers,
        captureIds: tiers.map(({ captureId }) => captureId),
        partitionKey: {
          week_ending: week,
          ...(version === CALCS.current(CALC) ? {} : { calc_version: version }),
        },
        identity: {
          input_captures: tiers.map(({ captureId }) => captureId),
          symbol_summary_version: calcVersion,
        },
      };
    },
    calculate: (_trx, { tiers }, version) => {
      const inputCaptures = tiers.map(({ captureId }) => captureId);
      const captureSet = captureSetOf(inputCaptures);
      const found = tierShares(tiers) ?? [];
      const rows = found.map((each) => ({
        capture_set: captureSet,
        calc_version: version,
        tier: each.tier,
        capture_id: each.captureId,
        input_captures: inputCaptures,
        week_ending: week,
        total_shares: each.totalShares.toString(),
        share: each.share.toString(),
        rank: each.rank,
        is_complete: tiers.length === TIERS.length,
        captured_at: each.capturedAt,
        run_id: ctx.run.runId,
      }));
      return Promise.resolve({
        rows,
        metrics: { tiers: found.map(({ tier }) => tier), is_complete: tiers.length === TIERS.length },
        checked: found,
        write: ({ trx: on }) =>
          replaceForKey(
            on,
            TIER_SHARE,
            TIER_SHARE.key.key({ capture_set: captureSet, calc_version: version }),
            rows,
          ),
      });
    },
  });
}
