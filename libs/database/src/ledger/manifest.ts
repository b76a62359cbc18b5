/**
 * The manifest: one row for each stage that a partition has reached.
 *
 * 1. The run that commits last writes the row, as it writes the rows of the stage it tells of: stage row and data commit
 *    together, so the row always describes the data that are there. What keeps an attempt from writing that has lost its
 *    run is the fence of its transaction, not the order of run ids.
 * 2. A stage is reached again by writing its row again; no row is ever taken away.
 */
import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import { canonicalJson } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage } from './pages.ts';

/** Names a partition of a domain, e.g. `{ week_ending: '2025-12-12', tier: 'OTC' }`. */
export type PartitionKey = Readonly<Record<string, string | number | boolean>>;

export interface ManifestRow {
  readonly domain: string;
  readonly partitionKey: PartitionKey;
  readonly stage: string;
  readonly stageRank: number;
  readonly rowCount: number | null;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly runId: string;
  readonly batchId: string | null;
  readonly updatedAt: Date;
}

export type NewManifestRow = Omit<ManifestRow, 'updatedAt'>;

/** The one spelling of a partition key: canonical JSON. */
export function partitionKeyText(key: PartitionKey): string {
  return canonicalJson(key);
}

/** The key that {@link partitionKeyText} has written. */
export function partitionKeyOf(text: string): PartitionKey {
  return JSON.parse(text) as PartitionKey;
}

/** Records that a partition reached a stage; a partition has one row per stage, of the commit that came last. */
export async function advanceManifest(db: Db | DbTransaction, row: NewManifestRow): Promise<ManifestRow> {
  const values = {
    stage_rank: row.stageRank,
    row_count: row.rowCount,
    metrics: JSON.stringify(row.metrics),
    run_id: row.runId,
    batch_id: row.batchId,
  };
  const written = await db
    .insertInto('manifest')
    .values({
      domain: row.domain,
      partition_key: partitionKeyText(row.partitionKey),
      stage: row.stage,
      ...values,
    })
    .onConflict((conflict) =>
      conflict
        .columns(['domain', 'partition_key', 'stage'])
        // Not now(): of two transactions the one that began first may commit last.
        .doUpdateSet({ ...values, updated_at: sql<Date>`clock_timestamp()` }),
    )
    .returningAll()
    .executeTakeFirstOrThrow();
  return toManifestRow(written);
}

/** All stages a partition has reached, lowest rank first. */
export async function manifestOf(
  db: Db | DbTransaction,
  domain: string,
  partitionKey: PartitionKey,
): Promise<ManifestRow[]> {
  const rows = await db
    .selectFrom('manifest')
    .selectAll()
    .where('domain', '=', domain)
    .where('partition_key', '=', partitionKeyText(partitionKey))
    .orderBy('stage_rank')
    .execute();
  return rows.map(toManifestRow);
}

export interface ManifestFilter {
  readonly domain?: string;
  readonly stage?: string;
  readonly partitionKey?: PartitionKey;
}

/** Where a page of the manifest ended. */
export interface ManifestPosition {
  readonly domain: string;
  /** Canonical JSON. */
  readonly partitionKey: string;
  readonly stage: string;
}

export interface ManifestPageRequest {
  readonly limit: number;
  readonly offset?: number;
  readonly after?: ManifestPosition;
}

export function positionOfManifestRow(row: ManifestRow): ManifestPosition {
  return { domain: row.domain, partitionKey: partitionKeyText(row.partitionKey), stage: row.stage };
}

/** The rows that match, unordered. */
export function filterManifest(db: Db | DbTransaction, filter: ManifestFilter) {
  let query = db.selectFrom('manifest');
  if (filter.domain !== undefined) query = query.where('domain', '=', filter.domain);
  if (filter.stage !== undefined) query = query.where('stage', '=', filter.stage);
  if (filter.partitionKey !== undefined) {
    query = query.where('partition_key', '=', partitionKeyText(filter.partitionKey));
  }
  return query;
}

/** The page of {@link listManifest}, as a statement. */
export function manifestPageQuery(db: Db | DbTransaction, filter: ManifestFilter, page: ManifestPageRequest) {
  let query = filterManifest(db, filter)
    .selectAll()
    .orderBy('domain')
    .orderBy('partition_key')
    .orderBy('stage')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.after !== undefined) {
    const { domain, partitionKey, stage } = page.after;
    query = query.where(
      sql<boolean>`(domain, partition_key, stage) > (${domain}, ${partitionKey}, ${stage})`,
    );
  }
  return query;
}

/** Rows that match, by domain, partition key and stage. */
export function listManifest(
  db: Db | DbTransaction,
  filter: ManifestFilter,
  page: ManifestPageRequest,
): Promise<LedgerPage<ManifestRow>> {
  const matching = filterManifest(db, filter).select('stage').limit(COUNTED_ROWS);
  return ledgerPage(db, manifestPageQuery(db, filter, page).execute(), matching, page.limit, toManifestRow);
}

function toManifestRow(row: Selectable<Database['manifest']>): ManifestRow {
  return {
    domain: row.domain,
    partitionKey: partitionKeyOf(row.partition_key),
    stage: row.stage,
    stageRank: row.stage_rank,
    rowCount: row.row_count,
    metrics: row.metrics as Readonly<Record<string, unknown>>,
    runId: row.run_id,
    batchId: row.batch_id,
    updatedAt: row.updated_at,
  };
}
