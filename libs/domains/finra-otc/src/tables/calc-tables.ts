/**
 * The tables that calculations write, each replaced as a whole for one capture (or set of captures) and version:
 * idempotency level L3. Rows of another capture or version are never touched.
 */
import { dataTable } from '@spine/database';

const CAPTURE_KEY = ['capture_id', 'calc_version'] as const;
const SET_KEY = ['capture_set', 'calc_version'] as const;
const AUDIT = ['captured_at', 'run_id'] as const;
const OF_WEEK = [...CAPTURE_KEY, ...AUDIT, 'week_ending', 'tier'] as const;

export const NORMALIZED = dataTable({
  name: 'finra_otc_normalized',
  columns: [
    ...CAPTURE_KEY,
    ...AUDIT,
    'symbol',
    'mpid',
    'issue_name',
    'venue_name',
    'total_shares',
    'total_trades',
    'last_update_date',
    'record_hash',
  ],
  key: CAPTURE_KEY,
});

export const SYMBOL_SUMMARY = dataTable({
  name: 'finra_otc_symbol_summary',
  columns: [
    ...OF_WEEK,
    'symbol',
    'issue_name',
    'total_shares',
    'total_trades',
    'venue_count',
    'avg_trade_size',
  ],
  key: CAPTURE_KEY,
});

export const WEEK_SUMMARY = dataTable({
  name: 'finra_otc_week_summary',
  columns: [...OF_WEEK, 'symbol_count', 'venue_count', 'total_shares', 'total_trades'],
  key: CAPTURE_KEY,
});

export const VENUE_SHARE = dataTable({
  name: 'finra_otc_venue_share',
  columns: [
    ...OF_WEEK,
    'mpid',
    'venue_name',
    'total_shares',
    'total_trades',
    'symbol_count',
    'share',
    'rank',
  ],
  key: CAPTURE_KEY,
});

export const VOLUME_PER_DAY = dataTable({
  name: 'finra_otc_volume_per_day',
  columns: [...OF_WEEK, 'symbol', 'trading_days', 'shares_per_day', 'trades_per_day'],
  key: CAPTURE_KEY,
});

export const VENUE_CONCENTRATION = dataTable({
  name: 'finra_otc_venue_concentration',
  columns: [...OF_WEEK, 'symbol', 'venue_count', 'hhi', 'concentration', 'top_mpid', 'top_share'],
  key: CAPTURE_KEY,
});

export const LIQUIDITY = dataTable({
  name: 'finra_otc_liquidity',
  columns: [...OF_WEEK, 'symbol', 'volume_part', 'trades_part', 'dispersion_part', 'score', 'rank'],
  key: CAPTURE_KEY,
});

export const ROLLING = dataTable({
  name: 'finra_otc_rolling',
  columns: [
    ...OF_WEEK,
    'capture_set',
    'input_captures',
    'symbol',
    'weeks_present',
    'is_complete',
    'avg_shares',
    'min_shares',
    'max_shares',
    'avg_trades',
    'trend',
  ],
  key: SET_KEY,
});

export const TIER_SHARE = dataTable({
  name: 'finra_otc_tier_share',
  columns: [...OF_WEEK, 'capture_set', 'input_captures', 'total_shares', 'share', 'rank', 'is_complete'],
  key: SET_KEY,
});
