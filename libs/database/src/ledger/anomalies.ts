/**
 * Anomalies: recorded, resolved, never deleted.
 *
 * 1. An anomaly is resolved once: the UPDATE is guarded, a trigger refuses a second one, and grants let the services
 *    write nothing but the resolution.
 * 2. Who is told is decided by `routeAnomaly` alone; nothing here sends anything.
 */
import { sql } from 'kysely';
import type { Selectable } from 'kysely';
import { newId, toPlainJson, toStorableText, truncateText, ValidationError } from '@spine/core';
import type { AnomalyCategory, Severity } from '@spine/core';
import { idBoundBefore, lowestIdSince } from '../sql/id-window.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Database } from '../sql/schema.ts';
import { partitionKeyOf, partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage, LedgerPageRequest } from './pages.ts';

export interface NewAnomaly {
  readonly domain: string;
  /** Default null: of no stage. */
  readonly stage?: string | null;
  /** Default null: about the domain as a whole. */
  readonly partitionKey?: PartitionKey | null;
  readonly severity: Severity;
  readonly category: AnomalyCategory;
  /** For people; kept up to 4,000 characters. */
  readonly message: string;
  /** Any JSON object without secrets; what cannot be stored is described instead. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Default null: no run met it. */
  readonly runId?: string | null;
  readonly batchId?: string | null;
}

export interface Anomaly {
  /** UUID v7. */
  readonly anomalyId: string;
  readonly domain: string;
  readonly stage: string | null;
  readonly partitionKey: PartitionKey | null;
  readonly severity: Severity;
  readonly category: AnomalyCategory;
  readonly message: string;
  readonly metadata: unknown;
  readonly runId: string | null;
  readonly batchId: string | null;
  readonly createdAt: Date;
  readonly resolvedAt: Date | null;
  readonly resolvedBy: string | null;
  readonly resolutionNote: string | null;
}

export type ResolveAnomalyOutcome =
  | { readonly type: 'resolved'; readonly anomaly: Anomaly }
  /** Somebody was first; the anomaly says who and when. */
  | { readonly type: 'already_resolved'; readonly anomaly: Anomaly }
  | { readonly type: 'not_found' };

export interface AnomalyFilter {
  readonly domain?: string;
  readonly stage?: string;
  readonly partitionKey?: PartitionKey;
  readonly severity?: Severity;
  readonly category?: AnomalyCategory;
  /** True: only resolved; false: only unresolved. */
  readonly resolved?: boolean;
  readonly runId?: string;
  /** Recorded at or after. */
  readonly since?: Date;
  /** Recorded before. */
  readonly until?: Date;
}

const MAX_MESSAGE = 4_000;

/** Appends an anomaly. It commits with the caller's transaction, where there is one. */
export async function recordAnomaly(db: Db | DbTransaction, anomaly: NewAnomaly): Promise<Anomaly> {
  const { stage = null, partitionKey = null, metadata = {}, runId = null, batchId = null } = anomaly;
  const row = await db
    .insertInto('anomalies')
    .values({
      id: newId(),
      domain: anomaly.domain,
      stage,
      partition_key: partitionKey === null ? null : partitionKeyText(partitionKey),
      severity: anomaly.severity,
      category: anomaly.category,
      message: toStorableText(truncateText(anomaly.message, MAX_MESSAGE)),
      metadata: JSON.stringify(toPlainJson(metadata)),
      run_id: runId,
      batch_id: batchId,
    })
    .returningAll()
    .executeTakeFirstOrThrow();
  return toAnomaly(row);
}

export async function getAnomaly(db: Db | DbTransaction, anomalyId: string): Promise<Anomaly | null> {
  const row = await db.selectFrom('anomalies').selectAll().where('id', '=', anomalyId).executeTakeFirst();
  return row === undefined ? null : toAnomaly(row);
}

/**
 * Resolves an anomaly, once: of several calls one gets it, and the others hear who did.
 * @throws ValidationError when nobody is named.
 */
export async function resolveAnomaly(
  db: Db | DbTransaction,
  anomalyId: string,
  by: string,
  note: string | null = null,
): Promise<ResolveAnomalyOutcome> {
  if (by === '') throw new ValidationError('by: an anomaly is resolved by somebody; given nobody');
  const row = await db
    .updateTable('anomalies')
    .set({
      resolved_at: sql<Date>`now()`,
      resolved_by: toStorableText(by),
      resolution_note: note === null ? null : toStorableText(note),
    })
    .where('id', '=', anomalyId)
    .where('resolved_at', 'is', null)
    .returningAll()
    .executeTakeFirst();
  if (row !== undefined) return { type: 'resolved', anomaly: toAnomaly(row) };
  const anomaly = await getAnomaly(db, anomalyId);
  return anomaly === null ? { type: 'not_found' } : { type: 'already_resolved', anomaly };
}

/** The anomalies that match, unordered. */
export function filterAnomalies(db: Db | DbTransaction, filter: AnomalyFilter) {
  let query = db.selectFrom('anomalies');
  if (filter.domain !== undefined) query = query.where('domain', '=', filter.domain);
  if (filter.stage !== undefined) query = query.where('stage', '=', filter.stage);
  if (filter.partitionKey !== undefined) {
    query = query.where('partition_key', '=', partitionKeyText(filter.partitionKey));
  }
  if (filter.severity !== undefined) query = query.where('severity', '=', filter.severity);
  if (filter.category !== undefined) query = query.where('category', '=', filter.category);
  if (filter.resolved === true) query = query.where('resolved_at', 'is not', null);
  if (filter.resolved === false) query = query.where('resolved_at', 'is', null);
  if (filter.runId !== undefined) query = query.where('run_id', '=', filter.runId);
  if (filter.since !== undefined) {
    query = query.where('created_at', '>=', filter.since).where('id', '>=', lowestIdSince(filter.since));
  }
  if (filter.until !== undefined) {
    query = query.where('created_at', '<', filter.until).where('id', '<', idBoundBefore(filter.until));
  }
  return query;
}

/** The page of {@link listAnomalies}, as a statement. */
export function anomalyPageQuery(db: Db | DbTransaction, filter: AnomalyFilter, page: LedgerPageRequest) {
  let query = filterAnomalies(db, filter)
    .selectAll()
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return query;
}

/** Anomalies that match, newest first. */
export function listAnomalies(
  db: Db | DbTransaction,
  filter: AnomalyFilter,
  page: LedgerPageRequest,
): Promise<LedgerPage<Anomaly>> {
  const matching = filterAnomalies(db, filter).select('id').limit(COUNTED_ROWS);
  return ledgerPage(db, anomalyPageQuery(db, filter, page).execute(), matching, page.limit, toAnomaly);
}

/** The statement of {@link hasCritical}. */
export function openCriticalQuery(db: Db | DbTransaction, domain: string, partitionKey: PartitionKey) {
  return (
    db
      .selectFrom('anomalies')
      .select('id')
      .where('domain', '=', domain)
      .where((where) =>
        where.or([
          where('partition_key', '=', partitionKeyText(partitionKey)),
          where('partition_key', 'is', null),
        ]),
      )
      // Spelt out, not as a parameter: the index holds the open critical ones alone.
      .where(sql<boolean>`severity = 'CRITICAL'`)
      .where('resolved_at', 'is', null)
      .limit(1)
  );
}

/** Whether a partition has an unresolved CRITICAL anomaly; one about the whole domain counts for all its partitions. */
export async function hasCritical(
  db: Db | DbTransaction,
  domain: string,
  partitionKey: PartitionKey,
): Promise<boolean> {
  return (await openCriticalQuery(db, domain, partitionKey).executeTakeFirst()) !== undefined;
}

function toAnomaly(row: Selectable<Database['anomalies']>): Anomaly {
  return {
    anomalyId: row.id,
    domain: row.domain,
    stage: row.stage,
    partitionKey: row.partition_key === null ? null : partitionKeyOf(row.partition_key),
    severity: row.severity,
    category: row.category,
    message: row.message,
    metadata: row.metadata,
    runId: row.run_id,
    batchId: row.batch_id,
    createdAt: row.created_at,
    resolvedAt: row.resolved_at,
    resolvedBy: row.resolved_by,
    resolutionNote: row.resolution_note,
  };
}
