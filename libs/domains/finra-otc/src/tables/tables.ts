/** The tables of migration 0014, for Kysely. What is written goes through `calc-tables.ts` and `captures.ts`. */
import type { ColumnType, Generated, Kysely } from 'kysely';
import type { Database, Db, DbTransaction } from '@spine/database';
import type { Tier } from '../vocabulary.ts';

/** Decimal text both ways: a float never comes near it. */
type Numeric = string;
/** A date is written as text and read as text by `isoDate`; the driver would make an instant of it. */
type DateColumn = ColumnType<never, string, never>;
/** Written as Postgres gave it; read by `isoInstant`. */
type InstantColumn = ColumnType<Date, string, never>;

interface Audit {
  captured_at: InstantColumn;
  run_id: string;
}

interface OfCapture extends Audit {
  capture_id: string;
  calc_version: string;
}

interface OfWeek extends OfCapture {
  week_ending: DateColumn;
  tier: Tier;
}

export interface CapturesTable extends Audit {
  capture_id: string;
  week_ending: DateColumn;
  tier: Tier;
  raw_digest: string;
  raw_rows: number;
  batch_id: string | null;
  created_at: Generated<Date>;
}

export interface NormalizedTable extends OfCapture {
  symbol: string;
  mpid: string;
  issue_name: string;
  venue_name: string;
  total_shares: Numeric;
  total_trades: Numeric;
  last_update_date: DateColumn;
  record_hash: string;
}

export interface SymbolSummaryTable extends OfWeek {
  symbol: string;
  issue_name: string;
  total_shares: Numeric;
  total_trades: Numeric;
  venue_count: number;
  avg_trade_size: Numeric | null;
}

export interface WeekSummaryTable extends OfWeek {
  symbol_count: number;
  venue_count: number;
  total_shares: Numeric;
  total_trades: Numeric;
}

export interface VenueShareTable extends OfWeek {
  mpid: string;
  venue_name: string;
  total_shares: Numeric;
  total_trades: Numeric;
  symbol_count: number;
  share: Numeric;
  rank: number;
}

export interface VolumePerDayTable extends OfWeek {
  symbol: string;
  trading_days: number;
  shares_per_day: Numeric;
  trades_per_day: Numeric;
}

export interface VenueConcentrationTable extends OfWeek {
  symbol: string | null;
  venue_count: number;
  hhi: Numeric;
  concentration: string;
  top_mpid: string;
  top_share: Numeric;
}

export interface LiquidityTable extends OfWeek {
  symbol: string;
  volume_part: Numeric;
  trades_part: Numeric;
  dispersion_part: Numeric;
  score: Numeric;
  rank: number;
}

export interface RollingTable extends OfWeek {
  capture_set: string;
  input_captures: readonly string[];
  symbol: string;
  weeks_present: number;
  is_complete: boolean;
  avg_shares: Numeric;
  min_shares: Numeric;
  max_shares: Numeric;
  avg_trades: Numeric;
  trend: string;
}

export interface TierShareTable extends OfWeek {
  capture_set: string;
  input_captures: readonly string[];
  total_shares: Numeric;
  share: Numeric;
  rank: number;
  is_complete: boolean;
}

/** The columns that are read here. */
export interface RawTable {
  record_hash: string;
  week_ending: DateColumn;
  tier: Tier;
  symbol: string;
  issue_name: string;
  venue_name: string;
  mpid: string;
  total_shares: Numeric;
  total_trades: number;
  last_update_date: DateColumn;
  captured_at: InstantColumn;
  capture_id: string;
  source_file: string;
  source_sha256: string;
  source_line: number;
}

export type CalcTables = {
  finra_otc_normalized: NormalizedTable;
  finra_otc_symbol_summary: SymbolSummaryTable;
  finra_otc_week_summary: WeekSummaryTable;
  finra_otc_venue_share: VenueShareTable;
  finra_otc_volume_per_day: VolumePerDayTable;
  finra_otc_venue_concentration: VenueConcentrationTable;
  finra_otc_liquidity: LiquidityTable;
  finra_otc_rolling: RollingTable;
  finra_otc_tier_share: TierShareTable;
};

export type FinraTables = CalcTables & {
  finra_otc_transparency_raw: RawTable;
  finra_otc_captures: CapturesTable;
};

/** The builder with this domain's tables. */
export function finra(db: Db | DbTransaction): Kysely<Database & FinraTables> {
  return db.withTables<FinraTables>();
}
