import { QualityCategory, qualityPass, qualityWarn, nonNegative, rowCountAtLeast } from '@spine/core';
import { replaceForKey } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { ROLLING_WEEKS, ROLLING_WINDOW, rollingVolume } from '../calcs/rolling.ts';
import type { RollingVolume, WeekVolume } from '../calcs/rolling.ts';
import { ROLLING } from '../tables/calc-tables.ts';
import { aggregatedWeeks, symbolSummaries } from '../tables/inputs.ts';
import type { WeekTotals } from '../tables/inputs.ts';
import { aggregatedInputs, capturedBy, captureSetOf, lockOf } from './capture-inputs.ts';
import type { CaptureInputs } from './capture-inputs.ts';
import type { CaptureParams } from './params.ts';
import { runStep } from './step.ts';

const CALC = 'rolling';

interface Inputs extends CaptureInputs {
  /** The captures of the window, oldest first; the last is the week's own. */
  readonly weeks: readonly { readonly captureId: string; readonly weekEnding: string }[];
  readonly captureSet: string;
}

interface Checked {
  readonly weeksCaptured: number;
  readonly symbols: readonly RollingVolume[];
}

/** The handler of `operation:finra.otc_transparency.compute_rolling`. */
export function computeRolling(params: CaptureParams, ctx: HandlerContext) {
  return runStep<Inputs, Checked>(ctx, {
    calc: CALC,
    stage: 'ROLLING',
    calcVersion: params.calc_version,
    force: params.force,
    lock: lockOf(CALC, params),
    checks: [
      rowCountAtLeast({ name: 'rows', minimum: 1, count: ({ symbols }) => symbols.length }),
      nonNegative({
        name: 'volumes_non_negative',
        values: ({ symbols }) => symbols.flatMap((each) => [each.minShares, each.avgShares, each.avgTrades]),
      }),
      {
        name: 'rolling_complete',
        category: QualityCategory.COMPLETENESS,
        check: ({ weeksCaptured }) => {
          const values = [String(weeksCaptured), String(ROLLING_WEEKS)] as const;
          const message = `${weeksCaptured} of ${ROLLING_WEEKS} weeks are captured`;
          return weeksCaptured === ROLLING_WEEKS
            ? qualityPass(message, ...values)
            : qualityWarn(message, ...values);
        },
      },
    ],
    inputs: async (trx, version) => {
      const inputs = await aggregatedInputs(trx, CALC, version, params);
      const { capture, upstream } = inputs;
      const [first = params.week_ending] = ROLLING_WINDOW.periods(params.week_ending);
      const known: readonly WeekTotals[] = await aggregatedWeeks(trx, {
        from: first.date,
        to: capture.weekEnding,
        tiers: [capture.tier],
        calcVersion: upstream.calcVersion,
        // An older capture is looked at with what was known of the other weeks then.
        asOf: params.capture_id === undefined ? null : capture.capturedAt,
      });
      const weeks = [
        ...known.filter(({ weekEnding }) => weekEnding < capture.weekEnding),
        { captureId: capture.captureId, weekEnding: capture.weekEnding },
      ];
      const input_captures = weeks.map(({ captureId }) => captureId);
      return {
        ...inputs,
        weeks,
        captureIds: input_captures,
        captureSet: captureSetOf(input_captures),
        identity: { ...inputs.identity, input_captures },
      };
    },
    calculate: async (trx, { capture, upstream, weeks, captureSet }, version) => {
      const weekOf = new Map(weeks.map(({ captureId, weekEnding }) => [captureId, weekEnding]));
      const bySymbol = new Map<string, Map<string, WeekVolume>>();
      for (const each of await symbolSummaries(trx, [...weekOf.keys()], upstream.calcVersion)) {
        const week = weekOf.get(each.captureId);
        if (week === undefined) continue;
        const volumes = bySymbol.get(each.symbol) ?? new Map<string, WeekVolume>();
        bySymbol.set(each.symbol, volumes.set(week, each));
      }
      const symbols = [...bySymbol]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .flatMap(([symbol, volumes]) => {
          const volume = rollingVolume(params.week_ending, volumes, version);
          return volume === null ? [] : [{ symbol, ...volume }];
        });
      const common = capturedBy(capture, version, ctx.run.runId);
      const rows = symbols.map((each) => ({
        ...common,
        capture_set: captureSet,
        input_captures: [...weekOf.keys()],
        symbol: each.symbol,
        weeks_present: each.weeksPresent,
        is_complete: each.isComplete,
        avg_shares: each.avgShares.toString(),
        min_shares: each.minShares.toString(),
        max_shares: each.maxShares.toString(),
        avg_trades: each.avgTrades.toString(),
        trend: each.trend,
      }));
      return {
        rows,
        metrics: {
          symbol_count: rows.length,
          weeks_present: weeks.length,
          is_complete: weeks.length === ROLLING_WEEKS,
          complete_symbols: symbols.filter(({ isComplete }) => isComplete).length,
        },
        checked: { weeksCaptured: weeks.length, symbols },
        write: ({ trx: on }) =>
          replaceForKey(
            on,
            ROLLING,
            ROLLING.key.key({ capture_set: captureSet, calc_version: version }),
            rows,
          ),
      };
    },
  });
}
