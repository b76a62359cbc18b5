/** What calculations read: sums over the normalized rows of a capture, and the summaries made of them. */
import { sql } from 'kysely';
import { Decimal } from '@spine/core';
import type { PlainDate } from '@spine/core';
import type { Db, DbTransaction } from '@spine/database';
import type { SymbolTotals } from '../calcs/symbol-summary.ts';
import type { VenueTotals } from '../calcs/venue-share.ts';
import type { VenueVolume } from '../calcs/concentration.ts';
import type { Tier } from '../vocabulary.ts';
import { isoDate, isoInstant } from './columns.ts';
import type { TierWeek } from './captures.ts';
import { finra } from './tables.ts';

/** A capture as a version of a calculation saw it. */
export interface CaptureVersion {
  readonly captureId: string;
  readonly calcVersion: string;
}

type Reader = Db | DbTransaction;

/** Whether a capture has normalized rows of a version. */
export async function isNormalized(db: Reader, of: CaptureVersion): Promise<boolean> {
  const row = await finra(db)
    .selectFrom('finra_otc_normalized')
    .select('symbol')
    .where('capture_id', '=', of.captureId)
    .where('calc_version', '=', of.calcVersion)
    .limit(1)
    .executeTakeFirst();
  return row !== undefined;
}

/** The keys `symbol|mpid` of the normalized rows of these symbols. */
export async function normalizedKeys(
  db: Reader,
  of: CaptureVersion,
  symbols: readonly string[],
): Promise<ReadonlySet<string>> {
  if (symbols.length === 0) return new Set();
  const rows = await finra(db)
    .selectFrom('finra_otc_normalized')
    .select(['symbol', 'mpid'])
    .where('capture_id', '=', of.captureId)
    .where('calc_version', '=', of.calcVersion)
    .where('symbol', 'in', [...new Set(symbols)])
    .execute();
  return new Set(rows.map(({ symbol, mpid }) => `${symbol}|${mpid}`));
}

/** The newest aggregated capture of a week, or the one named where it is aggregated; null for none. */
export async function aggregatedCapture(
  db: Reader,
  { weekEnding, tier }: TierWeek,
  calcVersion: string,
  captureId: string | null,
): Promise<string | null> {
  let query = finra(db)
    .selectFrom('finra_otc_week_summary')
    .select('capture_id')
    .where('tier', '=', tier)
    .where('calc_version', '=', calcVersion)
    .where(sql<boolean>`week_ending = ${weekEnding}::date`)
    .orderBy('captured_at', 'desc')
    .orderBy('capture_id', 'desc')
    .limit(1);
  if (captureId !== null) query = query.where('capture_id', '=', captureId);
  return (await query.executeTakeFirst())?.capture_id ?? null;
}

/** Sums a symbol, by symbol. */
export async function symbolTotals(db: Reader, of: CaptureVersion): Promise<SymbolTotals[]> {
  const rows = await finra(db)
    .selectFrom('finra_otc_normalized')
    .select(({ fn }) => [
      'symbol',
      // Venues may spell the name of an issue differently: the first in text order is as good as any, and always the same.
      sql<string>`min(issue_name COLLATE "C")`.as('issue_name'),
      sql<string>`sum(total_shares)::text`.as('total_shares'),
      sql<string>`sum(total_trades)::text`.as('total_trades'),
      fn.countAll<number>().as('venue_count'),
    ])
    .where('capture_id', '=', of.captureId)
    .where('calc_version', '=', of.calcVersion)
    .groupBy('symbol')
    .orderBy('symbol')
    .execute();
  return rows.map((row) => ({
    symbol: row.symbol,
    issueName: row.issue_name,
    totalShares: new Decimal(row.total_shares),
    totalTrades: new Decimal(row.total_trades),
    venueCount: row.venue_count,
  }));
}

/** Sums a venue, by MPID. */
export async function venueTotals(db: Reader, of: CaptureVersion): Promise<VenueTotals[]> {
  const rows = await finra(db)
    .selectFrom('finra_otc_normalized')
    .select(({ fn }) => [
      'mpid',
      sql<string>`min(venue_name COLLATE "C")`.as('venue_name'),
      sql<string>`sum(total_shares)::text`.as('total_shares'),
      sql<string>`sum(total_trades)::text`.as('total_trades'),
      fn.countAll<number>().as('symbol_count'),
    ])
    .where('capture_id', '=', of.captureId)
    .where('calc_version', '=', of.calcVersion)
    .groupBy('mpid')
    .orderBy('mpid')
    .execute();
  return rows.map((row) => ({
    mpid: row.mpid,
    venueName: row.venue_name,
    totalShares: new Decimal(row.total_shares),
    totalTrades: new Decimal(row.total_trades),
    symbolCount: row.symbol_count,
  }));
}

/** What each venue traded of each symbol; symbols and venues in text order. */
export async function volumesBySymbol(
  db: Reader,
  of: CaptureVersion,
): Promise<ReadonlyMap<string, VenueVolume[]>> {
  const rows = await finra(db)
    .selectFrom('finra_otc_normalized')
    .select(['symbol', 'mpid', 'total_shares'])
    .where('capture_id', '=', of.captureId)
    .where('calc_version', '=', of.calcVersion)
    .orderBy('symbol')
    .orderBy('mpid')
    .execute();
  const bySymbol = new Map<string, VenueVolume[]>();
  for (const { symbol, mpid, total_shares } of rows) {
    const volume = { mpid, totalShares: new Decimal(total_shares) };
    const venues = bySymbol.get(symbol);
    if (venues === undefined) bySymbol.set(symbol, [volume]);
    else venues.push(volume);
  }
  return bySymbol;
}

/** The week row of an aggregated capture. */
export interface WeekTotals extends TierWeek {
  readonly captureId: string;
  readonly totalShares: Decimal;
  readonly totalTrades: Decimal;
  /** RFC 3339 in UTC, to the microsecond. */
  readonly capturedAt: string;
}

/** Which weeks of which tiers. */
export interface WeeksWanted {
  readonly from: PlainDate;
  readonly to: PlainDate;
  readonly tiers: readonly Tier[];
  readonly calcVersion: string;
  /** Only captures that were there at this time, RFC 3339; null for all. */
  readonly asOf: string | null;
}

/** The newest aggregated capture of each week from `from` to `to` and each tier named, oldest week first. */
export async function aggregatedWeeks(db: Reader, of: WeeksWanted): Promise<WeekTotals[]> {
  const rows = await finra(db)
    .selectFrom('finra_otc_week_summary')
    .distinctOn(['tier', 'week_ending'])
    .select([
      'capture_id',
      'tier',
      isoDate('week_ending').as('week'),
      'total_shares',
      'total_trades',
      isoInstant('captured_at').as('captured'),
    ])
    .where('tier', 'in', of.tiers)
    .where('calc_version', '=', of.calcVersion)
    .where(sql<boolean>`week_ending BETWEEN ${of.from}::date AND ${of.to}::date`)
    .where(sql<boolean>`captured_at <= coalesce(${of.asOf}::timestamptz, 'infinity')`)
    .orderBy('tier')
    .orderBy('week_ending', 'desc')
    .orderBy('captured_at', 'desc')
    .orderBy('capture_id', 'desc')
    .execute();
  return rows
    .map((row) => ({
      captureId: row.capture_id,
      tier: row.tier,
      weekEnding: row.week,
      totalShares: new Decimal(row.total_shares),
      totalTrades: new Decimal(row.total_trades),
      capturedAt: row.captured,
    }))
    .sort((a, b) => (a.weekEnding < b.weekEnding ? -1 : Number(a.weekEnding > b.weekEnding)));
}

/** The symbol summaries of captures. */
export interface StoredSummary {
  readonly captureId: string;
  readonly symbol: string;
  readonly totalShares: Decimal;
  readonly totalTrades: Decimal;
}

/** By symbol, within each capture. */
export async function symbolSummaries(
  db: Reader,
  captureIds: readonly string[],
  calcVersion: string,
): Promise<StoredSummary[]> {
  const rows = await finra(db)
    .selectFrom('finra_otc_symbol_summary')
    .select(['capture_id', 'symbol', 'total_shares', 'total_trades'])
    .where('capture_id', 'in', captureIds)
    .where('calc_version', '=', calcVersion)
    .orderBy('capture_id')
    .orderBy('symbol')
    .execute();
  return rows.map((row) => ({
    captureId: row.capture_id,
    symbol: row.symbol,
    totalShares: new Decimal(row.total_shares),
    totalTrades: new Decimal(row.total_trades),
  }));
}
