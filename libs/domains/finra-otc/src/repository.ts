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

/**
 * Stores the rows that are not stored yet, and answers how many those were: one COPY, one INSERT. `captured_at` is the
 * transaction's time.
 */
export async function storeNewRows(
  trx: DbTransaction,
  rows: StagedRows,
  { tier, weekEnding }: Partition,
  { captureId, sourceFile, sourceSha256, runId, batchId }: Provenance,
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
      last_update_date, capture_id, source_file, source_sha256, source_line, run_id, batch_id
    )
    SELECT record_hash, ${weekEnding.date}::date, ${tier}, symbol, issue_name, venue_name, mpid, total_shares,
      total_trades, last_update_date, ${captureId}, ${sourceFile}, ${sourceSha256}, source_line, ${runId}::uuid,
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
