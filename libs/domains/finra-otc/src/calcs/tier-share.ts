import { consecutiveRanks, shares } from '@spine/core';
import type { Decimal } from '@spine/core';
import { TIERS } from '../vocabulary.ts';
import type { Tier } from '../vocabulary.ts';
import { SHARE_PLACES } from './venue-share.ts';

export interface TierTotals {
  readonly tier: Tier;
  readonly captureId: string;
  readonly totalShares: Decimal;
  /** When the capture was known. */
  readonly capturedAt: string;
}

export interface TierShare extends TierTotals {
  /** 0 to 1 with 10 places, by largest remainder. */
  readonly share: Decimal;
  /** From 1, by shares, then the order of the tiers. */
  readonly rank: number;
}

/** Each tier's part of the week's shares; the parts sum to exactly 1. Null where nothing was traded. */
export function tierShares(tiers: readonly TierTotals[]): TierShare[] | null {
  const inOrder = tiers.toSorted((a, b) => TIERS.indexOf(a.tier) - TIERS.indexOf(b.tier));
  const parts = shares(
    inOrder.map(({ totalShares }) => totalShares),
    SHARE_PLACES,
  );
  if (parts === null) return null;
  const ranks = consecutiveRanks(inOrder, (a, b) => b.totalShares.comparedTo(a.totalShares));
  return inOrder.flatMap((each, index) => {
    const [share, rank] = [parts[index], ranks[index]];
    return share === undefined || rank === undefined ? [] : [{ ...each, share, rank }];
  });
}
