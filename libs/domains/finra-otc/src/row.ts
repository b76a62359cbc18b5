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

type Fields = Readonly<Record<Column, string>>;

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
  const fields = fieldsOf(values);
  if (fields === null) {
    const detail = `the line has ${values.length} fields; it must have ${COLUMNS.length}`;
    return err({ reason: RejectReason.WRONG_FIELD_COUNT, detail });
  }
  const refuse = (reason: RejectReason, column: Column, rule: string): Result<never, Refusal> =>
    err({ reason, detail: `${column}: ${JSON.stringify(truncateText(fields[column], 80))} ${rule}` });

  for (const column of COLUMNS) {
    if (UNUSABLE.test(fields[column])) {
      return refuse(
        RejectReason.INVALID_TEXT,
        column,
        'holds a control character or bytes that are not UTF-8',
      );
    }
  }
  for (const column of COLUMNS) {
    if (fields[column] === '')
      return refuse(RejectReason.NULL_FIELD, column, 'is empty; every field is required');
  }
  const tier = parseTier(fields.tierDescription);
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
  if (!SYMBOL.test(fields.issueSymbolIdentifier)) {
    const rule =
      'is not a symbol; allowed are upper-case letters and digits, in parts joined by space . / or -, 20 in all';
    return refuse(RejectReason.INVALID_SYMBOL, 'issueSymbolIdentifier', rule);
  }
  if (!MPID.test(fields.MPID)) {
    return refuse(
      RejectReason.INVALID_TEXT,
      'MPID',
      'is not an MPID; allowed are 4 upper-case letters or digits',
    );
  }
  if (!SHARES.test(fields.totalWeeklyShareQuantity)) {
    const rule = 'is not a whole number of at most 18 digits';
    return refuse(RejectReason.INVALID_NUMBER, 'totalWeeklyShareQuantity', rule);
  }
  if (!TRADES.test(fields.totalWeeklyTradeCount)) {
    const rule = 'is not a whole number of at most 15 digits';
    return refuse(RejectReason.INVALID_NUMBER, 'totalWeeklyTradeCount', rule);
  }
  const lastUpdateDate = fields.lastUpdateDate;
  if (!isPlainDate(lastUpdateDate)) {
    return refuse(RejectReason.INVALID_DATE, 'lastUpdateDate', 'is not a calendar date as YYYY-MM-DD');
  }
  return ok({
    symbol: fields.issueSymbolIdentifier,
    issueName: fields.issueName,
    venueName: fields.marketParticipantName,
    mpid: fields.MPID,
    totalShares: fields.totalWeeklyShareQuantity.replace(/^0+(?=\d)/, ''),
    totalTrades: Number(fields.totalWeeklyTradeCount),
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

/** The trimmed fields by column; null when there are not as many as columns. */
function fieldsOf(values: readonly string[]): Fields | null {
  if (values.length !== COLUMNS.length) return null;
  return Object.fromEntries(COLUMNS.map((column, index) => [column, (values[index] ?? '').trim()])) as Fields;
}
