/**
 * Raw rows of one capture become one row a symbol and venue.
 *
 * 1. Every raw row is exactly one of accepted, rejected, duplicate or superseded: the counts add up.
 * 2. Which of several rows of one symbol and venue counts does not depend on the order in which they come.
 */
import { comparePlainDates, truncateText } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { cleanSymbol, isTestIssue } from './clean-symbol.ts';

/** A stored raw row, as far as normalizing looks at it. */
export interface RawRow {
  readonly recordHash: string;
  readonly symbol: string;
  readonly issueName: string;
  readonly venueName: string;
  readonly mpid: string;
  /** Whole numbers as digits. */
  readonly totalShares: string;
  readonly totalTrades: string;
  readonly lastUpdateDate: PlainDate;
  /** UTC to the microsecond, in a form whose text order is time order. */
  readonly capturedAt: string;
  readonly sourceFile: string;
  readonly sourceSha256: string;
  readonly sourceLine: number;
}

/** Why a stored row is no part of the figures; the first rule it breaks, in this order. */
export const NormalizeReason = {
  INVALID_SYMBOL: 'INVALID_SYMBOL',
  /** A security that does not exist. */
  TEST_ISSUE: 'TEST_ISSUE',
  /** Fewer shares than trades, or shares without a trade. */
  INCONSISTENT_COUNTS: 'INCONSISTENT_COUNTS',
  /** Last updated before the week was over. */
  UPDATED_BEFORE_WEEK_END: 'UPDATED_BEFORE_WEEK_END',
} as const;
export type NormalizeReason = (typeof NormalizeReason)[keyof typeof NormalizeReason];

export interface RejectedRow {
  readonly row: RawRow;
  readonly reason: NormalizeReason;
  readonly detail: string;
}

/** `symbol` is clean, all else is as in the raw row. */
export type NormalizedRow = RawRow;

export type Examined =
  | { readonly type: 'accepted'; readonly row: NormalizedRow }
  | { readonly type: 'rejected'; readonly rejected: RejectedRow };

export interface Normalized {
  /** By symbol, then MPID. */
  readonly accepted: readonly NormalizedRow[];
  readonly rejected: readonly RejectedRow[];
  /** Rows that say the same figures as the one that counts. */
  readonly duplicates: number;
  /** Rows whose figures were corrected by the one that counts. */
  readonly superseded: number;
}

/** Whether a raw row can count at all. */
export function examine(row: RawRow, weekEnding: PlainDate): Examined {
  const reject = (reason: NormalizeReason, detail: string): Examined => ({
    type: 'rejected',
    rejected: { row, reason, detail },
  });
  const symbol = cleanSymbol(row.symbol);
  if (symbol === null) {
    const shown = JSON.stringify(truncateText(row.symbol, 80));
    return reject(
      NormalizeReason.INVALID_SYMBOL,
      `symbol: ${shown} has no clean form; allowed are letters and digits, in parts, 20 in all`,
    );
  }
  if (isTestIssue(symbol))
    return reject(NormalizeReason.TEST_ISSUE, `symbol: ${symbol} is a security to test systems with`);
  const [shares, trades] = [BigInt(row.totalShares), BigInt(row.totalTrades)];
  if (shares < trades || (trades === 0n && shares > 0n)) {
    return reject(
      NormalizeReason.INCONSISTENT_COUNTS,
      `total_shares, total_trades: ${shares} shares in ${trades} trades; a trade has at least one share`,
    );
  }
  if (comparePlainDates(row.lastUpdateDate, weekEnding) < 0) {
    return reject(
      NormalizeReason.UPDATED_BEFORE_WEEK_END,
      `last_update_date: ${row.lastUpdateDate} is before ${weekEnding}, the end of the week`,
    );
  }
  return { type: 'accepted', row: { ...row, symbol } };
}

/**
 * Positive when `a` counts rather than `b`: the one FINRA updated last, then the one captured last, then the later line.
 * The hash decides what nothing else does, so that two rows are never equal.
 */
export function compareRecency(a: RawRow, b: RawRow): number {
  return (
    comparePlainDates(a.lastUpdateDate, b.lastUpdateDate) ||
    compareText(a.capturedAt, b.capturedAt) ||
    a.sourceLine - b.sourceLine ||
    compareText(a.recordHash, b.recordHash)
  );
}

/** Takes raw rows one by one, in any order. */
export class Normalizer {
  readonly #weekEnding: PlainDate;
  readonly #newest = new Map<string, NormalizedRow>();
  /** The others of each key, as figures: what they are is known when the newest is. */
  readonly #older = new Map<string, string[]>();
  readonly #rejected: RejectedRow[] = [];

  constructor(weekEnding: PlainDate) {
    this.#weekEnding = weekEnding;
  }

  add(raw: RawRow): void {
    const examined = examine(raw, this.#weekEnding);
    if (examined.type === 'rejected') {
      this.#rejected.push(examined.rejected);
      return;
    }
    const { row } = examined;
    const key = `${row.symbol}|${row.mpid}`;
    const other = this.#newest.get(key);
    if (other === undefined) {
      this.#newest.set(key, row);
      return;
    }
    const [newer, older] = compareRecency(row, other) > 0 ? [row, other] : [other, row];
    this.#newest.set(key, newer);
    const figures = this.#older.get(key);
    if (figures === undefined) this.#older.set(key, [figuresOf(older)]);
    else figures.push(figuresOf(older));
  }

  end(): Normalized {
    let duplicates = 0;
    let superseded = 0;
    for (const [key, older] of this.#older) {
      const newest = this.#newest.get(key);
      for (const figures of older) {
        if (newest !== undefined && figures === figuresOf(newest)) duplicates += 1;
        else superseded += 1;
      }
    }
    const accepted = [...this.#newest.values()].sort(
      (a, b) => compareText(a.symbol, b.symbol) || compareText(a.mpid, b.mpid),
    );
    return { accepted, rejected: this.#rejected, duplicates, superseded };
  }
}

function figuresOf({ totalShares, totalTrades }: RawRow): string {
  return `${totalShares} ${totalTrades}`;
}

function compareText(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
