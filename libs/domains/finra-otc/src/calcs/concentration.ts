import { hhi, shares } from '@spine/core';
import type { Concentration, Decimal } from '@spine/core';
import { SHARE_PLACES } from './venue-share.ts';

/** What one venue traded of a symbol, or of the whole week. */
export interface VenueVolume {
  readonly mpid: string;
  readonly totalShares: Decimal;
}

export interface VenueConcentration {
  readonly venueCount: number;
  /** Herfindahl-Hirschman index from 0 to 1, exact over shares of 10 places. */
  readonly hhi: Decimal;
  readonly concentration: Concentration;
  /** The venue with the most shares; of equals, the first by MPID. */
  readonly topMpid: string;
  readonly topShare: Decimal;
}

/** How far a volume lies with few venues. Null where nothing was traded. */
export function concentrationOver(venues: readonly VenueVolume[]): VenueConcentration | null {
  const byMpid = venues.toSorted((a, b) => (a.mpid < b.mpid ? -1 : 1));
  const parts = shares(
    byMpid.map(({ totalShares }) => totalShares),
    SHARE_PLACES,
  );
  const index = parts === null ? null : hhi(parts);
  if (parts === null || index === null) return null;
  let top: { mpid: string; share: Decimal } | null = null;
  for (const [position, { mpid }] of byMpid.entries()) {
    const share = parts[position];
    if (share !== undefined && (top === null || share.gt(top.share))) top = { mpid, share };
  }
  if (top === null) return null;
  return {
    venueCount: venues.length,
    hhi: index.index,
    concentration: index.concentration,
    topMpid: top.mpid,
    topShare: top.share,
  };
}
