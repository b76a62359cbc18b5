import { QualityCategory, qualityFail, qualityPass, qualityWarn, rowCountAtLeast } from '@spine/core';
import { replaceForKey } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { concentrationOver } from '../calcs/concentration.ts';
import type { VenueConcentration } from '../calcs/concentration.ts';
import { VENUE_CONCENTRATION } from '../tables/calc-tables.ts';
import { venueTotals, volumesBySymbol } from '../tables/inputs.ts';
import { capturedBy, lockOf, normalizedInputs } from './capture-inputs.ts';
import type { CaptureInputs } from './capture-inputs.ts';
import type { CaptureParams } from './params.ts';
import { runStep } from './step.ts';

const CALC = 'venue_concentration';

interface Checked {
  readonly concentrations: readonly VenueConcentration[];
  readonly withoutVolume: number;
}

/** The handler of `operation:finra.otc_transparency.compute_venue_concentration`. */
export function computeVenueConcentration(params: CaptureParams, ctx: HandlerContext) {
  return runStep<CaptureInputs, Checked>(ctx, {
    calc: CALC,
    stage: 'VENUE_CONCENTRATION',
    calcVersion: params.calc_version,
    force: params.force,
    lock: lockOf(CALC, params),
    checks: [
      rowCountAtLeast({ name: 'rows', minimum: 1, count: ({ concentrations }) => concentrations.length }),
      {
        // The least possible index over n venues is 1/n. Shares of 10 places may miss it by their rounding.
        name: 'hhi_in_range',
        category: QualityCategory.INTEGRITY,
        check: ({ concentrations }) => {
          const wrong = concentrations.filter(
            ({ hhi, venueCount }) => hhi.gt(1) || hhi.plus('0.000000001').times(venueCount).lt(1),
          );
          const values = [String(wrong.length), '0'] as const;
          if (wrong.length === 0) return qualityPass('every index is from 1/n to 1', ...values);
          return qualityFail(`${wrong.length} indexes are outside 1/n to 1`, ...values);
        },
      },
      {
        name: 'symbols_without_volume',
        category: QualityCategory.COMPLETENESS,
        check: ({ withoutVolume }) => {
          const values = [String(withoutVolume), '0'] as const;
          if (withoutVolume === 0) return qualityPass('every symbol has volume', ...values);
          return qualityWarn(`${withoutVolume} symbols have no volume, so no concentration`, ...values);
        },
      },
    ],
    inputs: (trx, version) => normalizedInputs(trx, CALC, version, params),
    calculate: async (trx, { capture, upstream }, version) => {
      const week = concentrationOver(await venueTotals(trx, upstream));
      const volumes = await volumesBySymbol(trx, upstream);
      const bySymbol = [...volumes].map(([symbol, venues]) => ({ symbol, found: concentrationOver(venues) }));
      const common = capturedBy(capture, version, ctx.run.runId);
      const found = [{ symbol: null, found: week }, ...bySymbol].flatMap((each) =>
        each.found === null ? [] : [{ symbol: each.symbol, ...each.found }],
      );
      const rows = found.map((each) => ({
        ...common,
        symbol: each.symbol,
        venue_count: each.venueCount,
        hhi: each.hhi.toString(),
        concentration: each.concentration,
        top_mpid: each.topMpid,
        top_share: each.topShare.toString(),
      }));
      const withoutVolume = bySymbol.filter((each) => each.found === null).length;
      return {
        rows,
        metrics: {
          symbol_count: bySymbol.length - withoutVolume,
          without_volume: withoutVolume,
          week_hhi: week?.hhi.toString() ?? null,
          week_concentration: week?.concentration ?? null,
        },
        checked: { concentrations: found, withoutVolume },
        write: ({ trx: on }) =>
          replaceForKey(
            on,
            VENUE_CONCENTRATION,
            VENUE_CONCENTRATION.key.key({ capture_id: capture.captureId, calc_version: version }),
            rows,
          ),
      };
    },
  });
}
