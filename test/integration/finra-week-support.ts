/** One small week and every calculation over it: what the guarantees are tried on. */
import {
  AGGREGATE_WEEK,
  COMPUTE_LIQUIDITY_SCORE,
  COMPUTE_ROLLING,
  COMPUTE_TIER_VOLUME_SHARE,
  COMPUTE_VENUE_CONCENTRATION,
  COMPUTE_VENUE_SHARE,
  COMPUTE_VOLUME_PER_DAY,
  NORMALIZE_WEEK,
} from '@spine/finra-otc';
import type { FileRow, FinraBed, Params } from './finra-support.ts';

export const WEEK = '2025-12-12';
export const OF = { week_ending: WEEK, tier: 'OTC' };

/** Each calculation after normalizing, with the table it fills and the columns that name one of its rows. */
export const CALCULATIONS = [
  { operation: AGGREGATE_WEEK, table: 'finra_otc_symbol_summary' },
  { operation: COMPUTE_VENUE_SHARE, table: 'finra_otc_venue_share' },
  { operation: COMPUTE_VENUE_CONCENTRATION, table: 'finra_otc_venue_concentration' },
  { operation: COMPUTE_VOLUME_PER_DAY, table: 'finra_otc_volume_per_day' },
  { operation: COMPUTE_LIQUIDITY_SCORE, table: 'finra_otc_liquidity' },
  { operation: COMPUTE_ROLLING, table: 'finra_otc_rolling' },
  { operation: COMPUTE_TIER_VOLUME_SHARE, table: 'finra_otc_tier_share' },
] as const;
export const TABLES = [
  'finra_otc_normalized',
  'finra_otc_week_summary',
  ...CALCULATIONS.map(({ table }) => table),
];

export const ROWS: readonly FileRow[] = [
  { symbol: 'AABB', mpid: 'OTCN', shares: 300, trades: 7 },
  { symbol: 'AABB', mpid: 'ARCA', shares: 20, trades: 3 },
  { symbol: 'BRK/B', mpid: 'ARCA', shares: 11, trades: 2 },
  { symbol: 'ZVZZT', mpid: 'ARCA', shares: 999, trades: 9 },
  { symbol: 'CCC', mpid: 'OTCX', shares: 5, trades: 5 },
];

export function paramsOf(operation: string, more: Params = {}): Params {
  return operation === COMPUTE_TIER_VOLUME_SHARE ? { week_ending: WEEK, ...more } : { ...OF, ...more };
}

/** Every calculation, those that do not need each other at the same time. */
export async function calculateAll(finra: FinraBed, more: Params = {}): Promise<Map<string, Params>> {
  const results = new Map<string, Params>();
  const calculate = async (operations: readonly string[]): Promise<void> => {
    const run = async (operation: string) =>
      [operation, await finra.run(operation, paramsOf(operation, more))] as const;
    for (const [operation, result] of await Promise.all(operations.map(run))) results.set(operation, result);
  };
  await calculate([NORMALIZE_WEEK]);
  await calculate([
    AGGREGATE_WEEK,
    COMPUTE_VENUE_SHARE,
    COMPUTE_VENUE_CONCENTRATION,
    COMPUTE_LIQUIDITY_SCORE,
  ]);
  await calculate([COMPUTE_VOLUME_PER_DAY, COMPUTE_ROLLING, COMPUTE_TIER_VOLUME_SHARE]);
  return results;
}

/** One week of {@link ROWS}, calculated, and nothing else. */
export async function freshWeek(finra: FinraBed): Promise<Map<string, Params>> {
  await finra.clear();
  await finra.ingest(WEEK, ROWS);
  return calculateAll(finra);
}
