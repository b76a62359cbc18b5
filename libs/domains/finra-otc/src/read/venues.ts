/** Venues of a week by their part of the volume. */
import { sql } from 'kysely';
import type { PlainDate } from '@spine/core';
import type { Db } from '@spine/database';
import { CALCS } from '../calcs/registry.ts';
import { isoDate, isoInstant } from '../tables/columns.ts';
import { finra } from '../tables/tables.ts';
import type { Tier } from '../vocabulary.ts';
import type { KnownFilter } from './known.ts';

/** A venue in a week. Amounts and parts are decimal text. */
export interface VenueWeek {
  readonly mpid: string;
  readonly venueName: string;
  readonly totalShares: string;
  readonly totalTrades: string;
  readonly symbolCount: number;
  /** 0 to 1; those of a week sum to exactly 1. */
  readonly share: string;
  readonly rank: number;
  readonly weekEnding: PlainDate;
  readonly tier: Tier;
  readonly captureId: string;
  readonly capturedAt: string;
}

/** The statement that finds the capture whose venues answer a question. */
export function knownVenuesQuery(db: Db, { tier, asOf }: KnownFilter, weekEnding: PlainDate | null) {
  let query = finra(db)
    .selectFrom('finra_otc_venue_share')
    .select('capture_id')
    .where('tier', '=', tier)
    .where('calc_version', '=', CALCS.current('venue_share'))
    // Every capture has one venue of rank 1. Spelt out, not a parameter: the index holds those rows alone.
    .where(sql<boolean>`rank = 1`)
    .orderBy('week_ending', 'desc')
    .orderBy('captured_at', 'desc')
    .orderBy('capture_id', 'desc')
    .limit(1);
  if (weekEnding !== null) query = query.where(sql<boolean>`week_ending = ${weekEnding}::date`);
  if (asOf !== null) query = query.where(sql<boolean>`captured_at <= ${asOf}::timestamptz`);
  return query;
}

/** All venues of a week as it was known, by rank; without a week named, of the newest that was. Empty for none. */
export async function listVenues(
  db: Db,
  filter: KnownFilter,
  weekEnding: PlainDate | null,
): Promise<readonly VenueWeek[]> {
  const found = await knownVenuesQuery(db, filter, weekEnding).executeTakeFirst();
  if (found === undefined) return [];
  return finra(db)
    .selectFrom('finra_otc_venue_share')
    .select([
      'mpid',
      'venue_name as venueName',
      'total_shares as totalShares',
      'total_trades as totalTrades',
      'symbol_count as symbolCount',
      'share',
      'rank',
      isoDate('week_ending').as('weekEnding'),
      'tier',
      'capture_id as captureId',
      isoInstant('captured_at').as('capturedAt'),
    ])
    .where('capture_id', '=', found.capture_id)
    .where('calc_version', '=', CALCS.current('venue_share'))
    .orderBy('rank')
    .execute();
}
