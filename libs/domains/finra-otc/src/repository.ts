/**
 * The rows of finra_otc_transparency_raw. Append only: a version of a row that FINRA publishes later is another row.
 */
import { sql } from 'kysely';
import { InvariantError, plainDateFromInstant } from '@spine/core';
import type { PlainDate } from '@spine/core';
import type { Db, DbTransaction } from '@spine/database';
import type { Partition } from './row.ts';
import type { LocatedRow } from './sort-lines.ts';
import { DOMAIN } from './vocabulary.ts';
import type { Tier } from './vocabulary.ts';

/** The columns Kysely reads. */
interface RawTable {
  readonly week_ending: string;
  readonly tier: Tier;
}

/** Where rows come from and who stored them. */
export interface Provenance {
  readonly captureId: string;
  readonly sourceFile: string;
  readonly sourceSha256: string;
  readonly runId: string;
  readonly batchId: string | null;
}

/**
 * Takes the partition for the rest of the transaction, and answers the UTC date of its capture. Ingests of one week
 * and tier wait for each other: two that insert the same hashes in different orders would deadlock.
 */
export async function beginCapture(trx: DbTransaction, { tier, weekEnding }: Partition): Promise<PlainDate> {
  const key = `${DOMAIN}:${tier}:${weekEnding.date}`;
  const { rows } = await sql<{ captured_at: Date }>`
    SELECT now() AS captured_at, pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(trx);
  const [row] = rows;
  if (row === undefined) throw new InvariantError('a SELECT without FROM returned no row');
  return plainDateFromInstant(row.captured_at);
}

/** Stores the rows that are not stored yet, and answers how many those were. `captured_at` is the transaction's time. */
export async function insertNewRows(
  trx: DbTransaction,
  rows: readonly LocatedRow[],
  { tier, weekEnding }: Partition,
  { captureId, sourceFile, sourceSha256, runId, batchId }: Provenance,
): Promise<number> {
  if (rows.length === 0) return 0;
  const { numAffectedRows = 0n } = await sql`
    INSERT INTO finra_otc_transparency_raw (
      record_hash, week_ending, tier, symbol, issue_name, venue_name, mpid, total_shares, total_trades,
      last_update_date, capture_id, source_file, source_sha256, source_line, run_id, batch_id
    )
    SELECT r.record_hash, ${weekEnding.date}::date, ${tier}, r.symbol, r.issue_name, r.venue_name, r.mpid,
      r.total_shares, r.total_trades, r.last_update_date, ${captureId}, ${sourceFile}, ${sourceSha256},
      r.source_line, ${runId}::uuid, ${batchId}
    FROM unnest(
      ${rows.map((row) => row.recordHash)}::text[],
      ${rows.map((row) => row.symbol)}::text[],
      ${rows.map((row) => row.issueName)}::text[],
      ${rows.map((row) => row.venueName)}::text[],
      ${rows.map((row) => row.mpid)}::text[],
      ${rows.map((row) => row.totalShares)}::numeric[],
      ${rows.map((row) => row.totalTrades)}::bigint[],
      ${rows.map((row) => row.lastUpdateDate)}::date[],
      ${rows.map((row) => row.line)}::bigint[]
    ) WITH ORDINALITY AS r(
      record_hash, symbol, issue_name, venue_name, mpid, total_shares, total_trades, last_update_date, source_line, ord
    )
    ORDER BY r.ord
    ON CONFLICT (record_hash) DO NOTHING`.execute(trx);
  return Number(numAffectedRows);
}

/** Rows stored of a partition, all captures together. */
export async function countRows(db: Db | DbTransaction, { tier, weekEnding }: Partition): Promise<number> {
  const { count } = await db
    .withTables<{ finra_otc_transparency_raw: RawTable }>()
    .selectFrom('finra_otc_transparency_raw')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('week_ending', '=', weekEnding.date)
    .where('tier', '=', tier)
    .executeTakeFirstOrThrow();
  return count;
}
