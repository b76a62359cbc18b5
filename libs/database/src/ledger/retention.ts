/**
 * Deleting what is old of the data ledger, and saying beforehand what would go. What may go is decided by
 * `spine_purge_ledger` (migration 0011), which alone may delete; the counts here ask the same questions.
 */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { checkRetention, LEDGER_RETENTION, PURGEABLE_TABLES } from '@spine/core';
import type { PurgeableTable, RetentionPolicy } from '@spine/core';
import { COUNT_LIMIT } from '../runs/query.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';

/** Rows one call looks at, at the most. */
export const MAX_LEDGER_PURGE_BATCH = 5_000;

export interface LedgerPurgeRequest {
  readonly table: PurgeableTable;
  /** Rows older than this many days are deleted; at least the table's minimum. */
  readonly olderThanDays: number;
  /** Where the last call ended; null at the beginning of a sweep. */
  readonly after: number | null;
  /** 1 to {@link MAX_LEDGER_PURGE_BATCH}. */
  readonly batch: number;
}

export interface PurgedLedgerBatch {
  readonly deleted: number;
  /** Where the next call continues; null when there is nothing old further on. */
  readonly last: number | null;
}

/**
 * Deletes one batch.
 *
 * @throws RetentionPolicyError or ValidationError for a period that the table's rule does not allow, and the driver's
 * error (22023) for a batch out of bounds; then nothing was deleted.
 */
export async function purgeLedger(
  db: Db | DbTransaction,
  request: LedgerPurgeRequest,
): Promise<PurgedLedgerBatch> {
  const { olderThanDays, after, batch } = request;
  const table = checkRetention(request.table, olderThanDays);
  const { rows } = await sql<{ last_id: number | null; deleted: number }>`
    SELECT last_id, deleted FROM spine_purge_ledger(${table}, ${olderThanDays}::integer * interval '1 day',
      ${after}::bigint, ${batch}::integer)`.execute(db);
  const row = rows[0];
  return { deleted: row?.deleted ?? 0, last: row?.last_id ?? null };
}

export interface RetentionFinding {
  readonly table: PurgeableTable;
  readonly minimumDays: number;
  /** The period asked about. */
  readonly olderThanDays: number;
  /** Rows that would go now, counted up to 10,000. */
  readonly eligible: number;
  readonly eligibleIsCapped: boolean;
  /** Of the oldest row there is, whether it would go or not; null for an empty table. */
  readonly oldest: Date | null;
}

/** What a purge would delete, table by table. A table that the policy does not name is judged by its minimum. */
export async function retentionReport(
  db: Db | DbTransaction,
  policy: RetentionPolicy,
): Promise<RetentionFinding[]> {
  const findings: RetentionFinding[] = [];
  for (const table of PURGEABLE_TABLES) {
    const { minimumDays } = LEDGER_RETENTION[table];
    findings.push(await ledgerEligible(db, table, policy.get(table) ?? minimumDays));
  }
  return findings;
}

/** The same for one table. @throws as {@link purgeLedger} for a period that is not allowed. */
export async function ledgerEligible(
  db: Db | DbTransaction,
  table: PurgeableTable,
  olderThanDays: number,
): Promise<RetentionFinding> {
  checkRetention(table, olderThanDays);
  const cutoff = sql<Date>`(now() - ${olderThanDays}::integer * interval '1 day')`;
  const { eligible, oldest } = QUESTIONS[table](cutoff);
  const { rows } = await sql<{ eligible: number; oldest: Date | null }>`
    SELECT (SELECT count(*)::int FROM (${eligible} LIMIT ${COUNT_LIMIT + 1}) e) AS eligible, (${oldest}) AS oldest`.execute(
    db,
  );
  const count = rows[0]?.eligible ?? 0;
  return {
    table,
    minimumDays: LEDGER_RETENTION[table].minimumDays,
    olderThanDays,
    eligible: Math.min(count, COUNT_LIMIT),
    eligibleIsCapped: count > COUNT_LIMIT,
    oldest: rows[0]?.oldest ?? null,
  };
}

interface Questions {
  /** Selects what would go. */
  readonly eligible: RawBuilder<unknown>;
  /** Selects the time of the oldest row. */
  readonly oldest: RawBuilder<unknown>;
}

/** Ids made by a clock that is ahead of the database's. */
const AHEAD = sql`interval '10 minutes'`;

const QUESTIONS: Readonly<Record<PurgeableTable, (cutoff: RawBuilder<Date>) => Questions>> = {
  quality_results: (cutoff) => ({
    eligible: sql`SELECT 1 FROM quality_results WHERE id < spine_run_id_at(${cutoff} + ${AHEAD}) AND created_at < ${cutoff}`,
    oldest: sql`SELECT created_at FROM quality_results ORDER BY id LIMIT 1`,
  }),
  // Asked row by row, by key: a join might read the whole table.
  asset_materializations: (cutoff) => ({
    eligible: sql`SELECT 1 FROM asset_materializations m WHERE m.materialized_at < ${cutoff}
      AND m.materialization_id < (SELECT max(n.materialization_id) FROM asset_materializations n
        WHERE n.asset_key = m.asset_key AND n.partition_key = m.partition_key)
      AND (SELECT 1 FROM asset_lineage l WHERE l.upstream_id = m.materialization_id LIMIT 1) IS NULL`,
    oldest: sql`SELECT min(materialized_at) FROM asset_materializations`,
  }),
  asset_observations: (cutoff) => ({
    eligible: sql`SELECT 1 FROM asset_observations WHERE observed_at < ${cutoff}`,
    oldest: sql`SELECT min(observed_at) FROM asset_observations`,
  }),
  work_items: (cutoff) => ({
    eligible: sql`SELECT 1 FROM work_items WHERE state = ANY (ARRAY['COMPLETE', 'FAILED', 'CANCELLED'])
      AND id < spine_run_id_at(${cutoff} + ${AHEAD}) AND completed_at < ${cutoff}`,
    oldest: sql`SELECT created_at FROM work_items ORDER BY id LIMIT 1`,
  }),
};
