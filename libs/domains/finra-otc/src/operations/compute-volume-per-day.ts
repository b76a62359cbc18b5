import { nonNegative, rowCountAtLeast } from '@spine/core';
import type { Decimal } from '@spine/core';
import { replaceForKey } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { dailyVolume, tradingDaysIn } from '../calcs/volume-per-day.ts';
import type { TradingCalendar } from '../calcs/volume-per-day.ts';
import { VOLUME_PER_DAY } from '../tables/calc-tables.ts';
import { symbolSummaries } from '../tables/inputs.ts';
import { aggregatedInputs, capturedBy, lockOf } from './capture-inputs.ts';
import type { CaptureInputs } from './capture-inputs.ts';
import type { CaptureParams } from './params.ts';
import { runStep } from './step.ts';

const CALC = 'volume_per_day';

/** The handler of `operation:finra.otc_transparency.compute_volume_per_day`; `calendar` says when the exchange is open. */
export function computeVolumePerDay(params: CaptureParams, ctx: HandlerContext, calendar: TradingCalendar) {
  return runStep<CaptureInputs, readonly Decimal[]>(ctx, {
    calc: CALC,
    stage: 'VOLUME_PER_DAY',
    calcVersion: params.calc_version,
    force: params.force,
    lock: lockOf(CALC, params),
    checks: [
      rowCountAtLeast({ name: 'rows', minimum: 1, count: (volumes) => volumes.length }),
      nonNegative({ name: 'volumes_non_negative', values: (volumes) => volumes }),
    ],
    inputs: async (trx, version) => {
      const inputs = await aggregatedInputs(trx, CALC, version, params);
      const trading_days = tradingDaysIn(params.week_ending, calendar);
      return {
        ...inputs,
        identity: { ...inputs.identity, exchange_code: calendar.exchangeCode, trading_days },
      };
    },
    calculate: async (trx, { capture, upstream }, version) => {
      const tradingDays = tradingDaysIn(params.week_ending, calendar);
      const symbols = await symbolSummaries(trx, [upstream.captureId], upstream.calcVersion);
      const volumes = symbols.map((each) => ({ symbol: each.symbol, ...dailyVolume(each, tradingDays) }));
      const common = capturedBy(capture, version, ctx.run.runId);
      const rows = volumes.map((each) => ({
        ...common,
        symbol: each.symbol,
        trading_days: tradingDays,
        shares_per_day: each.sharesPerDay.toString(),
        trades_per_day: each.tradesPerDay.toString(),
      }));
      return {
        rows,
        metrics: { symbol_count: rows.length },
        checked: volumes.flatMap((each) => [each.sharesPerDay, each.tradesPerDay]),
        write: ({ trx: on }) =>
          replaceForKey(
            on,
            VOLUME_PER_DAY,
            VOLUME_PER_DAY.key.key({ capture_id: capture.captureId, calc_version: version }),
            rows,
          ),
      };
    },
  });
}
