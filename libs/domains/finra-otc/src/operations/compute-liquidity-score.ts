import { QualityCategory, qualityFail, qualityPass, rowCountAtLeast } from '@spine/core';
import { replaceForKey } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { concentrationOver } from '../calcs/concentration.ts';
import { liquidityScores } from '../calcs/liquidity.ts';
import type { Liquidity } from '../calcs/liquidity.ts';
import { symbolTotals, volumesBySymbol } from '../tables/inputs.ts';
import { LIQUIDITY } from '../tables/calc-tables.ts';
import { capturedBy, lockOf, normalizedInputs } from './capture-inputs.ts';
import type { CaptureInputs } from './capture-inputs.ts';
import { ranksConsecutive } from './checks.ts';
import type { CaptureParams } from './params.ts';
import { runStep } from './step.ts';

const CALC = 'liquidity_score';

/** The handler of `operation:finra.otc_transparency.compute_liquidity_score`. */
export function computeLiquidityScore(params: CaptureParams, ctx: HandlerContext) {
  return runStep<CaptureInputs, readonly Liquidity[]>(ctx, {
    calc: CALC,
    stage: 'LIQUIDITY_SCORE',
    calcVersion: params.calc_version,
    force: params.force,
    lock: lockOf(CALC, params),
    checks: [
      rowCountAtLeast({ name: 'rows', minimum: 1, count: (scores) => scores.length }),
      ranksConsecutive((scores) => scores),
      {
        name: 'scores_in_range',
        category: QualityCategory.INTEGRITY,
        check: (scores) => {
          const wrong = scores.filter(({ score }) => !score.gte(0) || score.gt(100)).length;
          if (wrong === 0) return qualityPass('every score is 0 to 100', '0', '0');
          return qualityFail(`${wrong} scores are outside 0 to 100`, String(wrong), '0');
        },
      },
    ],
    inputs: (trx, version) => normalizedInputs(trx, CALC, version, params),
    calculate: async (trx, { capture, upstream }, version) => {
      const volumes = await volumesBySymbol(trx, upstream);
      const scores = liquidityScores(
        (await symbolTotals(trx, upstream)).map(({ symbol, totalShares, totalTrades }) => ({
          symbol,
          totalShares,
          totalTrades,
          hhi: concentrationOver(volumes.get(symbol) ?? [])?.hhi ?? null,
        })),
      );
      const common = capturedBy(capture, version, ctx.run.runId);
      const rows = scores.map((each) => ({
        ...common,
        symbol: each.symbol,
        volume_part: each.volumePart.toString(),
        trades_part: each.tradesPart.toString(),
        dispersion_part: each.dispersionPart.toString(),
        score: each.score.toString(),
        rank: each.rank,
      }));
      return {
        rows,
        metrics: { symbol_count: rows.length },
        checked: scores,
        write: ({ trx: on }) =>
          replaceForKey(
            on,
            LIQUIDITY,
            LIQUIDITY.key.key({ capture_id: capture.captureId, calc_version: version }),
            rows,
          ),
      };
    },
  });
}
