import { defineStages } from '@spine/core';

/**
 * How far a week and tier has come. The calculations after AGGREGATED do not need each other: their order here is only
 * the one they are listed in.
 */
export const STAGES = defineStages([
  'PENDING',
  'INGESTED',
  'NORMALIZED',
  'AGGREGATED',
  'VENUE_SHARE',
  'VENUE_CONCENTRATION',
  'VOLUME_PER_DAY',
  'LIQUIDITY_SCORE',
  'ROLLING',
  'TIER_VOLUME_SHARE',
  'WEEK_CHECKED',
]);
export type StageName = (typeof STAGES.names)[number];
