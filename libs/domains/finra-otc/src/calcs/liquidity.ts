/**
 * The liquidity score of a symbol within its week and tier, 0 to 100:
 *
 *   score = 50 * volume_part + 30 * trades_part + 20 * dispersion_part
 *
 * `volume_part` and `trades_part` are percentile ranks of the symbol's shares and trades: of the other symbols, the
 * fraction that has strictly less; 1 for a symbol alone. `dispersion_part` is 1 - HHI over the symbol's venues: 0 where
 * one venue has all. Shares tell most of how much can be traded, trades how steadily, venues how independently. Ranks make
 * the score comparable within a week and tier, and one enormous symbol moves nobody else. Weights are this project's own.
 */
import { consecutiveRanks, Decimal, roundDecimal } from '@spine/core';

export interface LiquidityInput {
  readonly symbol: string;
  readonly totalShares: Decimal;
  readonly totalTrades: Decimal;
  /** Over the symbol's venues, 0 to 1; null where nothing was traded. */
  readonly hhi: Decimal | null;
}

export interface Liquidity {
  readonly symbol: string;
  /** Each 0 to 1, rounded half-even to 6 places. */
  readonly volumePart: Decimal;
  readonly tradesPart: Decimal;
  readonly dispersionPart: Decimal;
  /** 0 to 100, of the rounded parts, rounded half-even to 4 places. */
  readonly score: Decimal;
  /** From 1, by score, then symbol; no two are equal. */
  readonly rank: number;
}

export const LIQUIDITY_WEIGHTS = { volume: 50, trades: 30, dispersion: 20 } as const;

const PART_PLACES = 6;
const SCORE_PLACES = 4;

/** The scores of all symbols of one week and tier, by symbol. */
export function liquidityScores(symbols: readonly LiquidityInput[]): Liquidity[] {
  const volume = percentileRanks(symbols.map(({ totalShares }) => totalShares));
  const trades = percentileRanks(symbols.map(({ totalTrades }) => totalTrades));
  const scored = symbols.map(({ symbol, hhi }, index) => {
    const volumePart = volume[index] ?? new Decimal(0);
    const tradesPart = trades[index] ?? new Decimal(0);
    const dispersionPart =
      hhi === null ? new Decimal(0) : roundDecimal(new Decimal(1).minus(hhi), PART_PLACES);
    const score = roundDecimal(
      volumePart
        .times(LIQUIDITY_WEIGHTS.volume)
        .plus(tradesPart.times(LIQUIDITY_WEIGHTS.trades))
        .plus(dispersionPart.times(LIQUIDITY_WEIGHTS.dispersion)),
      SCORE_PLACES,
    );
    return { symbol, volumePart, tradesPart, dispersionPart, score };
  });
  const bySymbol = scored.toSorted((a, b) => (a.symbol < b.symbol ? -1 : 1));
  const ranks = consecutiveRanks(bySymbol, (a, b) => b.score.comparedTo(a.score));
  return bySymbol.map((each, index) => ({ ...each, rank: ranks[index] ?? 0 }));
}

/** For each value, which fraction of the others is strictly less; 1 for a value alone. */
function percentileRanks(values: readonly Decimal[]): Decimal[] {
  if (values.length === 1) return [new Decimal(1)];
  const sorted = values.toSorted((a, b) => a.comparedTo(b));
  const below = new Map<string, number>();
  sorted.forEach((value, index) => {
    const key = value.toString();
    if (!below.has(key)) below.set(key, index);
  });
  return values.map((value) =>
    roundDecimal(new Decimal(below.get(value.toString()) ?? 0).div(values.length - 1), PART_PLACES),
  );
}
