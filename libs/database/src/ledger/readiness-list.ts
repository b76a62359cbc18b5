/** Reading the verdicts that are kept. */
import { sql } from 'kysely';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage } from './pages.ts';
import { toReadiness } from './readiness.ts';
import type { Readiness } from './readiness.ts';

export interface ReadinessFilter {
  readonly domain?: string;
  readonly readyFor?: string;
  readonly isReady?: boolean;
  readonly partitionKey?: PartitionKey;
}

/** Where a page of verdicts ended. */
export interface ReadinessPosition {
  readonly domain: string;
  /** Canonical JSON. */
  readonly partitionKey: string;
  readonly readyFor: string;
}

export interface ReadinessPageRequest {
  readonly limit: number;
  readonly offset?: number;
  readonly after?: ReadinessPosition;
}

function filterReadiness(db: Db | DbTransaction, filter: ReadinessFilter) {
  let query = db.selectFrom('data_readiness');
  if (filter.domain !== undefined) query = query.where('domain', '=', filter.domain);
  if (filter.readyFor !== undefined) query = query.where('ready_for', '=', filter.readyFor);
  if (filter.isReady !== undefined) query = query.where('is_ready', '=', filter.isReady);
  if (filter.partitionKey !== undefined) {
    query = query.where('partition_key', '=', partitionKeyText(filter.partitionKey));
  }
  return query;
}

/** The last verdicts that match, by domain, partition and purpose. They are as old as they say. */
export function listReadiness(
  db: Db | DbTransaction,
  filter: ReadinessFilter,
  page: ReadinessPageRequest,
): Promise<LedgerPage<Readiness>> {
  let query = filterReadiness(db, filter)
    .selectAll()
    .orderBy('domain')
    .orderBy('partition_key')
    .orderBy('ready_for')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.after !== undefined) {
    const { domain, partitionKey, readyFor } = page.after;
    query = query.where(
      sql<boolean>`(domain, partition_key, ready_for) > (${domain}, ${partitionKey}, ${readyFor})`,
    );
  }
  const matching = filterReadiness(db, filter).select('domain').limit(COUNTED_ROWS);
  return ledgerPage(db, query.execute(), matching, page.limit, toReadiness);
}
