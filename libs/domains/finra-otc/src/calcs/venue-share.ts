import { consecutiveRanks, shares } from '@spine/core';
import type { Decimal } from '@spine/core';

/** The sums of a venue over the symbols of a week. */
export interface VenueTotals {
  readonly mpid: string;
  readonly venueName: string;
  readonly totalShares: Decimal;
  readonly totalTrades: Decimal;
  readonly symbolCount: number;
}

export interface VenueShare extends VenueTotals {
  /** 0 to 1 with 10 places, by largest remainder. */
  readonly share: Decimal;
  /** From 1, by shares, then MPID; no two are equal. */
  readonly rank: number;
}

/** Digits after the point of a share. */
export const SHARE_PLACES = 10;

/** Each venue's part of the week's shares, by rank; the parts sum to exactly 1. Null where nothing was traded. */
export function venueShares(venues: readonly VenueTotals[]): VenueShare[] | null {
  const byMpid = venues.toSorted((a, b) => (a.mpid < b.mpid ? -1 : 1));
  const parts = shares(
    byMpid.map(({ totalShares }) => totalShares),
    SHARE_PLACES,
  );
  if (parts === null) return null;
  const ranks = consecutiveRanks(byMpid, (a, b) => b.totalShares.comparedTo(a.totalShares));
  return byMpid
    .flatMap((venue, index) => {
      const [share, rank] = [parts[index], ranks[index]];
      return share === undefined || rank === undefined ? [] : [{ ...venue, share, rank }];
    })
    .sort((a, b) => a.rank - b.rank);
}
