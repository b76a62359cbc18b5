import { nonNegative, rowCountAtLeast } from '@spine/core';
import { replaceForKey } from '@spine/database';
import type { HandlerContext } from '@spine/execution';
import { venueShares } from '../calcs/venue-share.ts';
import type { VenueShare } from '../calcs/venue-share.ts';
import { VENUE_SHARE } from '../tables/calc-tables.ts';
import { venueTotals } from '../tables/inputs.ts';
import { capturedBy, lockOf, normalizedInputs } from './capture-inputs.ts';
import type { CaptureInputs } from './capture-inputs.ts';
import { ranksConsecutive, sharesSumToOne } from './checks.ts';
import type { CaptureParams } from './params.ts';
import { runStep } from './step.ts';

const CALC = 'venue_share';

/** The handler of `operation:finra.otc_transparency.compute_venue_share`. */
export function computeVenueShare(params: CaptureParams, ctx: HandlerContext) {
  return runStep<CaptureInputs, readonly VenueShare[]>(ctx, {
    calc: CALC,
    stage: 'VENUE_SHARE',
    calcVersion: params.calc_version,
    force: params.force,
    lock: lockOf(CALC, params),
    checks: [
      rowCountAtLeast({ name: 'venues', minimum: 1, count: (venues) => venues.length }),
      sharesSumToOne((venues) => venues),
      nonNegative({ name: 'shares_non_negative', values: (venues) => venues.map(({ share }) => share) }),
      ranksConsecutive((venues) => venues),
    ],
    inputs: (trx, version) => normalizedInputs(trx, CALC, version, params),
    calculate: async (trx, { capture, upstream }, version) => {
      // Null where nothing was traded: then there is no venue, and the first check says so.
      const venues = venueShares(await venueTotals(trx, upstream)) ?? [];
      const common = capturedBy(capture, version, ctx.run.runId);
      const rows = venues.map((venue) => ({
        ...common,
        mpid: venue.mpid,
        venue_name: venue.venueName,
        total_shares: venue.totalShares.toString(),
        total_trades: venue.totalTrades.toString(),
        symbol_count: venue.symbolCount,
        share: venue.share.toString(),
        rank: venue.rank,
      }));
      return {
        rows,
        metrics: { venue_count: venues.length, top_mpid: venues[0]?.mpid ?? null },
        checked: venues,
        write: ({ trx: on }) =>
          replaceForKey(
            on,
            VENUE_SHARE,
            VENUE_SHARE.key.key({ capture_id: capture.captureId, calc_version: version }),
            rows,
          ),
      };
    },
  });
}
