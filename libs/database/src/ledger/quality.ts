/** What quality checks found. Appended, never changed: a check that is run again adds another result. */
import { newId, toStorableText } from '@spine/core';
import type { QualityOutcome, QualityStatus } from '@spine/core';
import type { Selectable } from 'kysely';
import { idBoundBefore, lowestIdSince } from '../sql/id-window.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { partitionKeyOf, partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage, LedgerPageRequest } from './pages.ts';

/** Whose data was checked, and by which run. */
export interface QualityScope {
  readonly domain: string;
  readonly partitionKey: PartitionKey;
  /** The stage the data is at; null where there is none. */
  readonly stage: string | null;
  readonly runId: string;
  readonly batchId: string | null;
}

export interface StoredQualityResult extends QualityOutcome, QualityScope {
  /** UUID v7. */
  readonly resultId: string;
  readonly createdAt: Date;
}

export interface QualityFilter {
  readonly domain?: string;
  readonly partitionKey?: PartitionKey;
  readonly runId?: string;
  readonly status?: QualityStatus;
  readonly checkName?: string;
  /** Stored at or after. */
  readonly since?: Date;
  /** Stored before. */
  readonly until?: Date;
}

const ROWS_PER_STATEMENT = 1_000;

/** Appends what checks found, in their order. */
export async function writeQualityResults(
  db: Db | DbTransaction,
  scope: QualityScope,
  outcomes: readonly QualityOutcome[],
): Promise<void> {
  const { domain, stage, runId, batchId } = scope;
  const partitionKey = partitionKeyText(scope.partitionKey);
  for (let from = 0; from < outcomes.length; from += ROWS_PER_STATEMENT) {
    await db
      .insertInto('quality_results')
      .values(
        outcomes.slice(from, from + ROWS_PER_STATEMENT).map((outcome) => ({
          id: newId(),
          domain,
          partition_key: partitionKey,
          stage,
          check_name: outcome.checkName,
          category: outcome.category,
          status: outcome.status,
          message: toStorableText(outcome.message),
          actual_value: storable(outcome.actualValue),
          expected_value: storable(outcome.expectedValue),
          run_id: runId,
          batch_id: batchId,
        })),
      )
      .execute();
  }
}

function storable(text: string | null): string | null {
  return text === null ? null : toStorableText(text);
}

/** The results that match, unordered. */
export function filterQuality(db: Db | DbTransaction, filter: QualityFilter) {
  let query = db.selectFrom('quality_results');
  if (filter.domain !== undefined) query = query.where('domain', '=', filter.domain);
  if (filter.partitionKey !== undefined) {
    query = query.where('partition_key', '=', partitionKeyText(filter.partitionKey));
  }
  if (filter.runId !== undefined) query = query.where('run_id', '=', filter.runId);
  if (filter.status !== undefined) query = query.where('status', '=', filter.status);
  if (filter.checkName !== undefined) query = query.where('check_name', '=', filter.checkName);
  if (filter.since !== undefined) {
    query = query.where('created_at', '>=', filter.since).where('id', '>=', lowestIdSince(filter.since));
  }
  if (filter.until !== undefined) {
    query = query.where('created_at', '<', filter.until).where('id', '<', idBoundBefore(filter.until));
  }
  return query;
}

/** The page of {@link listQuality}, as a statement. */
export function qualityPageQuery(db: Db | DbTransaction, filter: QualityFilter, page: LedgerPageRequest) {
  let query = filterQuality(db, filter)
    .selectAll()
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return query;
}

/** Results that match, newest first. */
export function listQuality(
  db: Db | DbTransaction,
  filter: QualityFilter,
  page: LedgerPageRequest,
): Promise<LedgerPage<StoredQualityResult>> {
  const matching = filterQuality(db, filter).select('id').limit(COUNTED_ROWS);
  return ledgerPage(db, qualityPageQuery(db, filter, page).execute(), matching, page.limit, toStored);
}

function toStored(row: Selectable<Database['quality_results']>): StoredQualityResult {
  return {
    resultId: row.id,
    domain: row.domain,
    partitionKey: partitionKeyOf(row.partition_key),
    stage: row.stage,
    checkName: row.check_name,
    category: row.category,
    status: row.status,
    message: row.message,
    actualValue: row.actual_value,
    expectedValue: row.expected_value,
    runId: row.run_id,
    batchId: row.batch_id,
    createdAt: row.created_at,
  };
}
