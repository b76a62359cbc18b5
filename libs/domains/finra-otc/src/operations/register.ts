import { IdempotencyLevel } from '@spine/core';
import type { HandlerRegistry } from '@spine/execution';
import { xnys } from '@spine/reference-calendar';
import { aggregateWeek } from './aggregate-week.ts';
import { backfillParams, backfillRange } from './backfill-range.ts';
import { checkWeek, checkWeekParams } from './check-week.ts';
import { computeLiquidityScore } from './compute-liquidity-score.ts';
import { computeRolling } from './compute-rolling.ts';
import { computeTierVolumeShare } from './compute-tier-volume-share.ts';
import { computeVenueConcentration } from './compute-venue-concentration.ts';
import { computeVenueShare } from './compute-venue-share.ts';
import { computeVolumePerDay } from './compute-volume-per-day.ts';
import {
  AGGREGATE_WEEK,
  BACKFILL_RANGE,
  CHECK_WEEK,
  COMPUTE_LIQUIDITY_SCORE,
  COMPUTE_ROLLING,
  COMPUTE_TIER_VOLUME_SHARE,
  COMPUTE_VENUE_CONCENTRATION,
  COMPUTE_VENUE_SHARE,
  COMPUTE_VOLUME_PER_DAY,
  NORMALIZE_WEEK,
} from './names.ts';
import { normalizeWeek } from './normalize-week.ts';
import { captureParams, weekParams } from './params.ts';

const tags = ['finra', 'otc_transparency', 'calculate'];

/** Registers the operations that calculate from captured weeks. */
export function registerCalculations(registry: HandlerRegistry): HandlerRegistry {
  return registry
    .registerOperation(
      NORMALIZE_WEEK,
      {
        description:
          'Makes one row a symbol and venue of the raw rows of a week: clean symbols, the newest figures, a reject for the rest.',
        params: captureParams,
        tags,
        idempotency: IdempotencyLevel.L3_STATE,
      },
      normalizeWeek,
    )
    .registerOperation(
      AGGREGATE_WEEK,
      {
        description: 'Sums a normalized week by symbol: shares, trades, venues and the average trade size.',
        params: captureParams,
        tags,
        idempotency: IdempotencyLevel.L3_STATE,
      },
      aggregateWeek,
    )
    .registerOperation(
      COMPUTE_VENUE_SHARE,
      {
        description: "Each venue's part of the shares of a week; the parts sum to exactly 1.",
        params: captureParams,
        tags,
        idempotency: IdempotencyLevel.L3_STATE,
      },
      computeVenueShare,
    )
    .registerOperation(
      COMPUTE_VENUE_CONCENTRATION,
      {
        description:
          'The Herfindahl-Hirschman index over the venues of each symbol, and of the week as a whole.',
        params: captureParams,
        tags,
        idempotency: IdempotencyLevel.L3_STATE,
      },
      computeVenueConcentration,
    )
    .registerOperation(
      COMPUTE_VOLUME_PER_DAY,
      {
        description: 'Shares and trades of each symbol a trading day of the New York Stock Exchange.',
        params: captureParams,
        tags,
        idempotency: IdempotencyLevel.L3_STATE,
      },
      (params, ctx) => computeVolumePerDay(params, ctx, xnys()),
    )
    .registerOperation(
      COMPUTE_LIQUIDITY_SCORE,
      {
        description: 'A score from 0 to 100 for each symbol, by its shares, trades and spread over venues.',
        params: captureParams,
        tags,
        idempotency: IdempotencyLevel.L3_STATE,
      },
      computeLiquidityScore,
    )
    .registerOperation(
      COMPUTE_ROLLING,
      {
        description: 'Average, least, most and trend of each symbol over the six weeks that end with a week.',
        params: captureParams,
        tags,
        idempotency: IdempotencyLevel.L3_STATE,
      },
      computeRolling,
    )
    .registerOperation(
      COMPUTE_TIER_VOLUME_SHARE,
      {
        description: "Each tier's part of the shares of a week, over the tiers that are captured.",
        params: weekParams,
        tags,
        idempotency: IdempotencyLevel.L3_STATE,
      },
      computeTierVolumeShare,
    )
    .registerOperation(
      CHECK_WEEK,
      {
        description:
          'The quality gates of a whole week: every tier complete, of one capture, its tables in agreement, few rejects.',
        params: checkWeekParams,
        tags: ['finra', 'otc_transparency', 'quality'],
        idempotency: IdempotencyLevel.L3_STATE,
      },
      checkWeek,
    )
    .registerOperation(
      BACKFILL_RANGE,
      {
        description:
          'Runs operations over a range of weeks: what the manifest does not show done, each step as a child run.',
        params: backfillParams,
        tags: ['finra', 'otc_transparency', 'backfill'],
      },
      backfillRange,
    );
}
