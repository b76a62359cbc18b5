/**
 * The rows of finra_otc_transparency_raw. Append only: a version of a row that FINRA publishes later is another row.
 */
import { sql } from 'kysely';
import { InvariantError, plainDateFromInstant } from '@spine/core';
import type { PlainDate } from '@spine/core';
import { copyInto } from '@spine/database';
import type { Db, DbTransaction } from '@spine/database';
import { STAGED_COLUMNS, StagedRows } from './row-staging.ts';
import type { Partition } from './row.ts';
import type { LocatedRow } from './sort-lines.ts';
import { DOMAIN } from './vocabulary.ts';
import type { Tier } from './vocabulary.ts';

/** A table of the connection's own, which another ingest cannot see. */
const STAGE = 'pg_temp.finra_otc_stage';

/** The columns Kysely reads. */
interface RawTable {
  readonly week_ending: string;
  readonly tier: Tier;
}

/** Where rows come from and who stored them. */
export interface Provenance {
  readonly captureId: string;
  /** RFC 3339: {@link CaptureTime}. */
  readonly capturedAt: string;
  readonly sourceFile: string;
  readonly sourceSha256: string;
  readonly runId: string;
  readonly batchId: string | null;
}

/**
 * Takes the partition for the rest of the transaction. Ingests of one week and tier wait for each other: two that insert
 * the same hashes in different orders would deadlock, and captures would not be ordered as they commit.
 */
export async function lockCaptures(trx: DbTransaction, { tier, weekEnding }: Partition): Promise<void> {
  const key = `${DOMAIN}:${tier}:${weekEnding.date}`;
  await sql`SELECT pg_advisory_xact_lock(hashtextextended(${key}, 0))`.execute(trx);
}

/** When a capture began: read behind the lock, so that of two captures of a partition the later one commits later. */
export interface CaptureTime {
  /** RFC 3339 in UTC, to the microsecond. */
  readonly capturedAt: string;
  /** Its UTC date. */
  readonly capturedOn: PlainDate;
}

/** Takes the partition as {@link lockCaptures} does, and answers the time of its capture. */
export async function beginCapture(trx: DbTransaction, partition: Partition): Promise<CaptureTime> {
  await lockCaptures(trx, partition);
  const { rows } = await sql<{ captured_at: string }>`
    SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS captured_at`.execute(
    trx,
  );
  const [row] = rows;
  if (row === undefined) throw new InvariantError('a SELECT without FROM returned no row');
  return { capturedAt: row.captured_at, capturedOn: plainDateFromInstant(new Date(row.captured_at)) };
}

/**
 * Stores the rows that are not stored yet, and answers how many those were: one COPY, one INSERT.
 */
export async function storeNewRows(
  trx: DbTransaction,
  rows: StagedRows,
  { tier, weekEnding }: Partition,
  { captureId, capturedAt, sourceFile, sourceSha256, runId, batchId }: Provenance,
): Promise<number> {
  if (rows.count === 0) return 0;
  await sql`CREATE TEMP TABLE IF NOT EXISTS finra_otc_stage (
      record_hash text, symbol text, issue_name text, venue_name text, mpid text, total_shares numeric,
      total_trades bigint, last_update_date date, source_line bigint
    ) ON COMMIT DROP`.execute(trx);
  await copyInto(trx, STAGE, STAGED_COLUMNS, rows.chunks);
  const { numAffectedRows = 0n } = await sql`
    INSERT INTO finra_otc_transparency_raw (
      record_hash, week_ending, tier, symbol, issue_name, venue_name, mpid, total_shares, total_trades,
      last_update_date, captured_at, capture_id, source_file, source_sha256, source_line, run_id, batch_id
    )
    SELECT record_hash, ${weekEnding.date}::date, ${tier}, symbol, issue_name, venue_name, mpid, total_shares,
      total_trades, last_update_date, ${capturedAt}::timestamptz, ${captureId}, ${sourceFile}, ${sourceSha256}, source_line, ${runId}::uuid,
      ${batchId}
    FROM ${sql.table(STAGE)}
    ON CONFLICT (record_hash) DO NOTHING`.execute(trx);
  await sql`TRUNCATE ${sql.table(STAGE)}`.execute(trx);
  return Number(numAffectedRows);
}

/** As {@link storeNewRows}, for rows at hand. */
export function insertNewRows(
  trx: DbTransaction,
  rows: readonly LocatedRow[],
  partition: Partition,
  provenance: Provenance,
): Promise<number> {
  const staged = new StagedRows(rows.length);
  staged.add(rows);
  return storeNewRows(trx, staged, partition, provenance);
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
