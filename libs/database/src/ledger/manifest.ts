import { sql } from 'kysely';
import { canonicalJson } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';

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

/** Records that a partition reached a stage; a partition has one row per stage, the newest run's. */
export async function advanceManifest(db: Db | DbTransaction, row: NewManifestRow): Promise<void> {
  const values = {
    stage_rank: row.stageRank,
    row_count: row.rowCount,
    metrics: JSON.stringify(row.metrics),
    run_id: row.runId,
    batch_id: row.batchId,
  };
  await db
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
        .doUpdateSet({ ...values, updated_at: sql<Date>`now()` }),
    )
    .execute();
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
  return rows.map((row) => ({
    domain: row.domain,
    partitionKey,
    stage: row.stage,
    stageRank: row.stage_rank,
    rowCount: row.row_count,
    metrics: row.metrics as Readonly<Record<string, unknown>>,
    runId: row.run_id,
    batchId: row.batch_id,
    updatedAt: row.updated_at,
  }));
}
