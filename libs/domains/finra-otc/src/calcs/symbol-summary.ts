import { Decimal, ratio, sumDecimals } from '@spine/core';

/** The sums of a symbol over its venues. */
export interface SymbolTotals {
  readonly symbol: string;
  readonly issueName: string;
  readonly totalShares: Decimal;
  readonly totalTrades: Decimal;
  readonly venueCount: number;
}

export interface SymbolSummary extends SymbolTotals {
  /** Shares a trade, rounded half-even to 6 places; null without a trade. */
  readonly avgTradeSize: Decimal | null;
}

/** Digits after the point of an average. */
export const AVERAGE_PLACES = 6;

export function summarizeSymbol(totals: SymbolTotals): SymbolSummary {
  return { ...totals, avgTradeSize: ratio(totals.totalShares, totals.totalTrades, AVERAGE_PLACES) };
}

/** The exact sum of a figure over rows. */
export function sumOf<R>(rows: readonly R[], figure: (row: R) => Decimal): Decimal {
  return rows.length === 0 ? new Decimal(0) : sumDecimals(rows.map(figure));
}
