/** Reading work items. */
import type { WorkItemState } from '@spine/core';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { partitionKeyText } from './manifest.ts';
import type { PartitionKey } from './manifest.ts';
import { COUNTED_ROWS, ledgerPage } from './pages.ts';
import type { LedgerPage, LedgerPageRequest } from './pages.ts';
import { toWorkItem } from './work-items.ts';
import type { WorkItem } from './work-items.ts';

export interface WorkItemFilter {
  readonly domain?: string;
  readonly workflow?: string;
  readonly partitionKey?: PartitionKey;
  readonly state?: WorkItemState;
}

function filterWorkItems(db: Db | DbTransaction, filter: WorkItemFilter) {
  let query = db.selectFrom('work_items');
  if (filter.domain !== undefined) query = query.where('domain', '=', filter.domain);
  if (filter.workflow !== undefined) query = query.where('workflow', '=', filter.workflow);
  if (filter.state !== undefined) query = query.where('state', '=', filter.state);
  if (filter.partitionKey !== undefined) {
    query = query.where('partition_key', '=', partitionKeyText(filter.partitionKey));
  }
  return query;
}

/** The page of {@link listWorkItems}, as a statement. */
export function workItemPageQuery(db: Db | DbTransaction, filter: WorkItemFilter, page: LedgerPageRequest) {
  let query = filterWorkItems(db, filter)
    .selectAll()
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset ?? 0);
  if (page.before !== undefined) query = query.where('id', '<', page.before);
  return query;
}

/** Work items that match, newest first. */
export function listWorkItems(
  db: Db | DbTransaction,
  filter: WorkItemFilter,
  page: LedgerPageRequest,
): Promise<LedgerPage<WorkItem>> {
  const matching = filterWorkItems(db, filter).select('id').limit(COUNTED_ROWS);
  return ledgerPage(db, workItemPageQuery(db, filter, page).execute(), matching, page.limit, toWorkItem);
}
