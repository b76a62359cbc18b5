/**
 * What was known at a time: of each week and tier the newest aggregated capture that was stored by then.
 *
 * 1. A capture counts from `captured_at` on, so the same question about the same time always has the same answer: captures
 *    are never changed, and rows made of one are only ever made again.
 * 2. A symbol that a later capture of a week no longer has is not taken from the earlier one.
 */
import { sql } from 'kysely';
import type { PlainDate } from '@spine/core';
import type { Db } from '@spine/database';
import { CALCS } from '../calcs/registry.ts';
import { isoDate, isoInstant } from '../tables/columns.ts';
import { finra } from '../tables/tables.ts';
import type { Tier } from '../vocabulary.ts';

/** A week of a tier as it was known. Amounts are decimal text. */
export interface KnownWeek {
  readonly weekEnding: PlainDate;
  readonly tier: Tier;
  readonly captureId: string;
  /** RFC 3339 in UTC, to the microsecond. */
  readonly capturedAt: string;
  readonly calcVersion: string;
  readonly symbolCount: number;
  readonly venueCount: number;
  readonly totalShares: string;
  readonly totalTrades: string;
}

export interface KnownFilter {
  readonly tier: Tier;
  /** RFC 3339; null for now. */
  readonly asOf: string | null;
}

export interface Paging<P> {
  readonly limit: number;
  readonly offset: number;
  /** The last item seen; null for the first page. */
  readonly after: P | null;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly hasMore: boolean;
}

/** A page from rows of which one more was asked for than it holds. */
export function pageOf<T>(rows: readonly T[], limit: number, total: number): Page<T> {
  return { items: rows.slice(0, limit), total, hasMore: rows.length > limit };
}

/** The statement that finds the newest capture of each week, newest week first. */
export function knownWeeksQuery(db: Db, { tier, asOf }: KnownFilter) {
  const query = finra(db)
    .selectFrom('finra_otc_week_summary')
    .distinctOn('week_ending')
    .select([
      'capture_id as captureId',
      'tier',
      isoDate('week_ending').as('weekEnding'),
      isoInstant('captured_at').as('capturedAt'),
      'calc_version as calcVersion',
      'symbol_count as symbolCount',
      'venue_count as venueCount',
      'total_shares as totalShares',
      'total_trades as totalTrades',
    ])
    .where('tier', '=', tier)
    .where('calc_version', '=', CALCS.current('symbol_summary'))
    .orderBy('week_ending', 'desc')
    .orderBy('captured_at', 'desc')
    .orderBy('capture_id', 'desc');
  return asOf === null ? query : query.where(sql<boolean>`captured_at <= ${asOf}::timestamptz`);
}

/** The weeks of a tier that were known, newest first. */
export async function listWeeks(
  db: Db,
  filter: KnownFilter,
  { limit, offset, after }: Paging<PlainDate>,
): Promise<Page<KnownWeek>> {
  const known = knownWeeksQuery(db, filter);
  const page = after === null ? known : known.where(sql<boolean>`week_ending < ${after}::date`);
  const rows = await page
    .limit(limit + 1)
    .offset(offset)
    .execute();
  let counted = finra(db)
    .selectFrom('finra_otc_week_summary')
    .select(({ fn }) => fn.count<number>('week_ending').distinct().as('total'))
    .where('tier', '=', filter.tier)
    .where('calc_version', '=', CALCS.current('symbol_summary'));
  if (filter.asOf !== null) counted = counted.where(sql<boolean>`captured_at <= ${filter.asOf}::timestamptz`);
  const { total } = await counted.executeTakeFirstOrThrow();
  return pageOf(rows, limit, total);
}

/** A week as it was known; without one named, the newest week that was. Null for none. */
export async function knownWeek(
  db: Db,
  filter: KnownFilter,
  weekEnding: PlainDate | null,
): Promise<KnownWeek | null> {
  const known = knownWeeksQuery(db, filter);
  const wanted = weekEnding === null ? known : known.where(sql<boolean>`week_ending = ${weekEnding}::date`);
  return (await wanted.limit(1).executeTakeFirst()) ?? null;
}
