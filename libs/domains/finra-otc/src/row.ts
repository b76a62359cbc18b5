/**
 * One line of a weekly file: a row, or the first rule it breaks.
 *
 * 1. Nothing is repaired: a line is stored as it says or refused.
 * 2. Space around a field is not content. It is removed before anything else, so padding changes no hash.
 * 3. Shares stay decimal text from the file to the numeric column, never a float.
 */
import { err, hashRecord, isPlainDate, ok, truncateText } from '@spine/core';
import type { PlainDate, Result, WeekEnding } from '@spine/core';
import { COLUMNS, parseTier, RejectReason } from './vocabulary.ts';
import type { Column, Tier } from './vocabulary.ts';

/** What a file is ingested as. */
export interface Partition {
  readonly tier: Tier;
  readonly weekEnding: WeekEnding;
}

export interface WeeklyRow {
  readonly symbol: string;
  readonly issueName: string;
  readonly venueName: string;
  readonly mpid: string;
  /** Decimal digits without leading zeros. */
  readonly totalShares: string;
  readonly totalTrades: number;
  readonly lastUpdateDate: PlainDate;
}

export interface Refusal {
  readonly reason: RejectReason;
  /** Which column, what stood there, what is allowed. */
  readonly detail: string;
}

/** Control characters, and what bytes that are not UTF-8 are decoded to. */
const UNUSABLE = /[\p{Cc}\p{Cs}\uFFFD]/u;
/** Parts joined by one separator: `AABB`, `BRK B`, `BAC-L`. */
const SYMBOL = /^(?=.{1,20}$)[A-Z0-9]+(?:[ ./-][A-Z0-9]+)*$/;
const MPID = /^[A-Z0-9]{4}$/;
/** Published figures are whole; 18 digits are more shares than there are. */
const SHARES = /^\d{1,18}$/;
/** What an integer holds without rounding. */
const TRADES = /^\d{1,15}$/;

/** Reads the fields of one line as a row of `partition`. */
export function parseRow(values: readonly string[], partition: Partition): Result<WeeklyRow, Refusal> {
  if (values.length !== COLUMNS.length) {
    const detail = `the line has ${values.length} fields; it must have ${COLUMNS.length}`;
    return err({ reason: RejectReason.WRONG_FIELD_COUNT, detail });
  }
  const fields = values.map((value) => value.trim());
  const refuse = (reason: RejectReason, column: Column, rule: string): Result<never, Refusal> => {
    const found = fields[COLUMNS.indexOf(column)] ?? '';
    return err({ reason, detail: `${column}: ${JSON.stringify(truncateText(found, 80))} ${rule}` });
  };

  const unusable = COLUMNS[fields.findIndex((field) => UNUSABLE.test(field))];
  if (unusable !== undefined) {
    return refuse(
      RejectReason.INVALID_TEXT,
      unusable,
      'holds a control character or bytes that are not UTF-8',
    );
  }
  const empty = COLUMNS[fields.indexOf('')];
  if (empty !== undefined) {
    return refuse(RejectReason.NULL_FIELD, empty, 'is empty; every field is required');
  }
  // As many as COLUMNS, in their order: the defaults are never used.
  const [
    description = '',
    symbol = '',
    issueName = '',
    venueName = '',
    mpid = '',
    shares = '',
    trades = '',
    lastUpdateDate = '',
  ] = fields;
  const tier = parseTier(description);
  if (tier === null) {
    const rule = 'is not a tier; allowed are OTC, NMS Tier 1 and NMS Tier 2';
    return refuse(RejectReason.UNKNOWN_TIER, 'tierDescription', rule);
  }
  if (tier !== partition.tier) {
    return refuse(
      RejectReason.TIER_MISMATCH,
      'tierDescription',
      `is not ${partition.tier}, the tier of this ingest`,
    );
  }
  if (!SYMBOL.test(symbol)) {
    const rule =
      'is not a symbol; allowed are upper-case letters and digits, in parts joined by space . / or -, 20 in all';
    return refuse(RejectReason.INVALID_SYMBOL, 'issueSymbolIdentifier', rule);
  }
  if (!MPID.test(mpid)) {
    return refuse(
      RejectReason.INVALID_TEXT,
      'MPID',
      'is not an MPID; allowed are 4 upper-case letters or digits',
    );
  }
  if (!SHARES.test(shares)) {
    const rule = 'is not a whole number of at most 18 digits';
    return refuse(RejectReason.INVALID_NUMBER, 'totalWeeklyShareQuantity', rule);
  }
  if (!TRADES.test(trades)) {
    const rule = 'is not a whole number of at most 15 digits';
    return refuse(RejectReason.INVALID_NUMBER, 'totalWeeklyTradeCount', rule);
  }
  if (!isPlainDate(lastUpdateDate)) {
    return refuse(RejectReason.INVALID_DATE, 'lastUpdateDate', 'is not a calendar date as YYYY-MM-DD');
  }
  return ok({
    symbol,
    issueName,
    venueName,
    mpid,
    totalShares: shares.replace(/^0+(?=\d)/, ''),
    totalTrades: Number(trades),
    lastUpdateDate,
  });
}

/**
 * SHA-256 over everything the source says of a row. Two rows with one hash are one row. The order of the values is part
 * of every stored hash: changing it would store every row again.
 */
export function hashRow(row: WeeklyRow, { tier, weekEnding }: Partition): string {
  const { symbol, mpid, totalShares, totalTrades, lastUpdateDate, issueName, venueName } = row;
  return hashRecord([
    tier,
    weekEnding.date,
    symbol,
    mpid,
    totalShares,
    totalTrades,
    lastUpdateDate,
    issueName,
    venueName,
  ]);
}
