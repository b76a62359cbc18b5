import { DOMAIN } from '../vocabulary.ts';

/** The operations that calculate, without their kind. */
export const NORMALIZE_WEEK = `${DOMAIN}.normalize_week`;
export const AGGREGATE_WEEK = `${DOMAIN}.aggregate_week`;
export const COMPUTE_ROLLING = `${DOMAIN}.compute_rolling`;
export const COMPUTE_VENUE_SHARE = `${DOMAIN}.compute_venue_share`;
export const COMPUTE_VOLUME_PER_DAY = `${DOMAIN}.compute_volume_per_day`;
export const COMPUTE_VENUE_CONCENTRATION = `${DOMAIN}.compute_venue_concentration`;
export const COMPUTE_TIER_VOLUME_SHARE = `${DOMAIN}.compute_tier_volume_share`;
export const COMPUTE_LIQUIDITY_SCORE = `${DOMAIN}.compute_liquidity_score`;
export const BACKFILL_RANGE = `${DOMAIN}.backfill_range`;
export const CHECK_WEEK = `${DOMAIN}.check_week`;
