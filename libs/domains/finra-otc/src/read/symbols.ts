/** Symbols of a week by volume, and the history of one. */
import { sql } from 'kysely';
import type { PlainDate } from '@spine/core';
import type { Db } from '@spine/database';
import { finra } from '../tables/tables.ts';
import type { Tier } from '../vocabulary.ts';
import { knownWeeksQuery, pageOf } from './known.ts';
import type { KnownFilter, KnownWeek, Page, Paging } from './known.ts';

/** A symbol in a week. Amounts are decimal text. */
export interface SymbolWeek {
  readonly symbol: string;
  readonly issueName: string;
  readonly totalShares: string;
  readonly totalTrades: string;
  readonly venueCount: number;
  /** Null for a symbol without trades. */
  readonly avgTradeSize: string | null;
}

/** Where a page of symbols ended. */
export interface SymbolPosition {
  readonly totalShares: string;
  readonly symbol: string;
}

/** The statement of {@link topSymbols}. */
export function topSymbolsQuery(
  db: Db,
  { captureId, calcVersion }: Pick<KnownWeek, 'captureId' | 'calcVersion'>,
  { limit, offset, after }: Paging<SymbolPosition>,
) {
  const query = finra(db)
    .selectFrom('finra_otc_symbol_summary')
    .select([
      'symbol',
      'issue_name as issueName',
      'total_shares as totalShares',
      'total_trades as totalTrades',
      'venue_count as venueCount',
      'avg_trade_size as avgTradeSize',
    ])
    .where('capture_id', '=', captureId)
    .where('calc_version', '=', calcVersion)
    .orderBy('total_shares', 'desc')
    .orderBy('symbol')
    .limit(limit + 1)
    .offset(offset);
  if (after === null) return query;
  const { totalShares, symbol } = after;
  // The first condition is what the index can begin at; the directions of the two columns differ.
  return query
    .where(sql<boolean>`total_shares <= ${totalShares}::numeric`)
    .where(sql<boolean>`(total_shares < ${totalShares}::numeric OR symbol > ${symbol})`);
}

/** The symbols of a week, most shares first. */
export async function topSymbols(
  db: Db,
  week: KnownWeek,
  paging: Paging<SymbolPosition>,
): Promise<Page<SymbolWeek>> {
  return pageOf(await topSymbolsQuery(db, week, paging).execute(), paging.limit, week.symbolCount);
}

/** A symbol in one of its weeks. */
export interface SymbolHistory extends SymbolWeek {
  readonly weekEnding: PlainDate;
  readonly tier: Tier;
  readonly captureId: string;
  readonly capturedAt: string;
}

/**
 * The statement of {@link symbolHistory}. Each week is asked for the symbol by key (`LIMIT 1` keeps it a question a week):
 * joined freely, all rows of all weeks may be gone through for one symbol.
 */
export function symbolHistoryQuery(db: Db, filter: KnownFilter, symbol: string) {
  return finra(db)
    .with('known', () => knownWeeksQuery(db, filter))
    .selectFrom('known')
    .innerJoinLateral(
      (eb) =>
        eb
          .selectFrom('finra_otc_symbol_summary')
          .selectAll()
          .whereRef('capture_id', '=', 'known.captureId')
          .whereRef('finra_otc_symbol_summary.calc_version', '=', 'known.calcVersion')
          .where('symbol', '=', symbol)
          .limit(1)
          .as('s'),
      (join) => join.onTrue(),
    );
}

/** The weeks of a tier in which a symbol was traded, newest first. */
export async function symbolHistory(
  db: Db,
  filter: KnownFilter,
  symbol: string,
  { limit, offset, after }: Paging<PlainDate>,
): Promise<Page<SymbolHistory>> {
  const matching = symbolHistoryQuery(db, filter, symbol);
  let page = matching
    .select([
      's.symbol',
      's.issue_name as issueName',
      's.total_shares as totalShares',
      's.total_trades as totalTrades',
      's.venue_count as venueCount',
      's.avg_trade_size as avgTradeSize',
      'known.weekEnding',
      'known.tier',
      'known.captureId',
      'known.capturedAt',
    ])
    .orderBy('known.weekEnding', 'desc')
    .limit(limit + 1)
    .offset(offset);
  if (after !== null) page = page.where('known.weekEnding', '<', after);
  const rows = await page.execute();
  const { total } = await matching
    .select(({ fn }) => fn.countAll<number>().as('total'))
    .executeTakeFirstOrThrow();
  return pageOf(rows, limit, total);
}
