/**
 * Rejects: rows that were refused, with everything it takes to judge them again. Appended here; that one is closed is
 * written by the trigger of reject_repairs alone, and no reject is ever changed otherwise or deleted.
 */
import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import { toStorableText } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { partitionKeyOf, partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage, LedgerPageRequest } from './pages.ts';

/** A row that was refused: what it was, where it stood, why. Never deleted. */
export interface NewReject {
  readonly domain: string;
  readonly partitionKey: PartitionKey;
  readonly stage: string;
  /** Upper-case code, e.g. `INVALID_NUMBER`. */
  readonly reasonCode: string;
  readonly reasonDetail: string;
  /** The row as it stood in the source; characters a text column cannot hold are replaced. */
  readonly raw: string;
  /** Where the row came from, e.g. a file's name and SHA-256. */
  readonly sourceLocator: string;
  /** 1-based line in the source. */
  readonly lineNumber: number | null;
  readonly recordHash: string;
  readonly runId: string;
  readonly batchId: string | null;
  /** Which version of the rules refused it. Default null: its writer has no versions. */
  readonly ruleVersion?: string | null;
  /** SHA-256 of the source, 64 hex digits. Default null. */
  readonly sourceHash?: string | null;
}

export interface StoredReject extends Required<NewReject> {
  /** Decimal digits; grows with every reject. */
  readonly rejectId: string;
  readonly createdAt: Date;
  /** When a repair closed it; null while it is open. */
  readonly closedAt: Date | null;
}

export interface RejectFilter {
  readonly domain?: string;
  readonly stage?: string;
  readonly partitionKey?: PartitionKey;
  readonly reasonCode?: string;
  readonly ruleVersion?: string;
  readonly runId?: string;
  readonly rejectIds?: readonly string[];
  /** True: only open ones; false: only closed ones. */
  readonly open?: boolean;
}

const ROWS_PER_STATEMENT = 1_000;

/** Appends rejects; the same row refused again for the same reason is not written twice. Answers how many are new. */
export async function writeRejects(db: Db | DbTransaction, rejects: readonly NewReject[]): Promise<number> {
  let written = 0;
  for (let from = 0; from < rejects.length; from += ROWS_PER_STATEMENT) {
    const rows = await db
      .insertInto('rejects')
      .values(
        rejects.slice(from, from + ROWS_PER_STATEMENT).map((reject) => ({
          domain: reject.domain,
          partition_key: partitionKeyText(reject.partitionKey),
          stage: reject.stage,
          reason_code: reject.reasonCode,
          reason_detail: toStorableText(reject.reasonDetail),
          raw: toStorableText(reject.raw),
          source_locator: reject.sourceLocator,
          line_number: reject.lineNumber,
          record_hash: reject.recordHash,
          run_id: reject.runId,
          batch_id: reject.batchId,
          rule_version: reject.ruleVersion ?? null,
          source_hash: reject.sourceHash ?? null,
        })),
      )
      .onConflict((conflict) => conflict.doNothing())
      .returning('reject_id')
      .execute();
    written += rows.length;
  }
  return written;
}

/** The rejects that match, unordered. */
export function filterRejects(db: Db | DbTransaction, filter: RejectFilter) {
  let query = db.selectFrom('rejects');
  if (filter.domain !== undefined) query = query.where('domain', '=', filter.domain);
  if (filter.stage !== undefined) query = query.where('stage', '=', filter.stage);
  if (filter.partitionKey !== undefined) {
    query = query.where('partition_key', '=', partitionKeyText(filter.partitionKey));
  }
  if (filter.reasonCode !== undefined) query = query.where('reason_code', '=', filter.reasonCode);
  if (filter.ruleVersion !== undefined) query = query.where('rule_version', '=', filter.ruleVersion);
  if (filter.runId !== undefined) query = query.where('run_id', '=', filter.runId);
  if (filter.rejectIds !== undefined) query = query.where('reject_id', 'in', filter.rejectIds.map(Number));
  if (filter.open === true) query = query.where('closed_at', 'is', null);
  if (filter.open === false) query = query.where('closed_at', 'is not', null);
  return query;
}

/** The page of {@link listRejects}, as a statement. */
export function rejectPageQuery(db: Db | DbTransaction, filter: RejectFilter, page: LedgerPageRequest) {
  let query = filterRejects(db, filter)
    .selectAll()
    .orderBy('reject_id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.before !== undefined) query = query.where('reject_id', '<', Number(page.before));
  return query;
}

/** Rejects that match, newest first. */
export function listRejects(
  db: Db | DbTransaction,
  filter: RejectFilter,
  page: LedgerPageRequest,
): Promise<LedgerPage<StoredReject>> {
  const matching = filterRejects(db, filter).select('reject_id').limit(COUNTED_ROWS);
  return ledgerPage(db, rejectPageQuery(db, filter, page).execute(), matching, page.limit, toReject);
}

/** @param rejectId decimal digits, at most 15. */
export async function getReject(db: Db | DbTransaction, rejectId: string): Promise<StoredReject | null> {
  const row = await db
    .selectFrom('rejects')
    .selectAll()
    .where('reject_id', '=', Number(rejectId))
    .executeTakeFirst();
  return row === undefined ? null : toReject(row);
}

/** Rejects of one reason, each figure counted up to 10,000. */
export interface ReasonCount {
  readonly reasonCode: string;
  readonly total: number;
  readonly totalIsCapped: boolean;
  readonly open: number;
  readonly openIsCapped: boolean;
}

/** The statement of {@link countRejectsByReason}. */
export function reasonCountQuery(domain: string) {
  // The next reason is looked up in the index, not found by reading all rejects of this one.
  return sql<{ reason_code: string; total: number; open: number }>`
    WITH RECURSIVE reasons AS (
      (SELECT reason_code FROM rejects WHERE domain = ${domain} ORDER BY domain, reason_code LIMIT 1)
      UNION ALL
      SELECT (SELECT n.reason_code FROM rejects n WHERE n.domain = ${domain} AND n.reason_code > r.reason_code
        ORDER BY n.domain, n.reason_code LIMIT 1)
      FROM reasons r WHERE r.reason_code IS NOT NULL
    )
    SELECT r.reason_code,
      (SELECT count(*) FROM (SELECT FROM rejects a WHERE a.domain = ${domain} AND a.reason_code = r.reason_code
        LIMIT ${COUNTED_ROWS}) m)::int AS total,
      (SELECT count(*) FROM (SELECT FROM rejects o WHERE o.domain = ${domain} AND o.reason_code = r.reason_code
        AND o.closed_at IS NULL LIMIT ${COUNTED_ROWS}) m)::int AS open
    FROM reasons r WHERE r.reason_code IS NOT NULL ORDER BY r.reason_code`;
}

/** How many rejects a domain has by reason, by name of the reason. */
export async function countRejectsByReason(db: Db | DbTransaction, domain: string): Promise<ReasonCount[]> {
  const { rows } = await reasonCountQuery(domain).execute(db);
  const most = COUNTED_ROWS - 1;
  return rows.map((row) => ({
    reasonCode: row.reason_code,
    total: Math.min(row.total, most),
    totalIsCapped: row.total > most,
    open: Math.min(row.open, most),
    openIsCapped: row.open > most,
  }));
}

/** The one place where a row becomes a reject. */
export function toReject(row: Selectable<Database['rejects']>): StoredReject {
  return {
    rejectId: String(row.reject_id),
    domain: row.domain,
    partitionKey: partitionKeyOf(row.partition_key),
    stage: row.stage,
    reasonCode: row.reason_code,
    reasonDetail: row.reason_detail,
    raw: row.raw,
    sourceLocator: row.source_locator,
    lineNumber: row.line_number,
    recordHash: row.record_hash,
    runId: row.run_id,
    batchId: row.batch_id,
    ruleVersion: row.rule_version,
    sourceHash: row.source_hash,
    createdAt: row.created_at,
    closedAt: row.closed_at,
  };
}
