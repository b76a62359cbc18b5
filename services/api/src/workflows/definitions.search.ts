/** A search in the published workflows, with what their runs were like where that decides about the order. */
import type { Db } from '@spine/database';
import { searchCatalog, workflowRunStats } from '@spine/orchestration';
import type { CatalogQuery, CatalogResult } from '@spine/orchestration';
import type { RunScope } from '../auth/run-scope.ts';
import { invalid } from '../http/problem.ts';
import type { SearchedWorkflow } from './definitions.catalog.ts';
import type { WorkflowListQuery } from './definitions.schemas.ts';

/** Workflows whose runs are read for one order, and runs of each. */
const MEASURED = 500;
const RUNS_OF_EACH = 100;

/** @throws HttpProblem for an order by figures of more workflows than are measured at once. */
export async function searchWorkflows(
  db: Db,
  entries: readonly SearchedWorkflow[],
  query: WorkflowListQuery,
  scope: RunScope,
): Promise<CatalogResult> {
  const { q, tags, domain, handler, step_kind: kind, source, limit, offset } = query;
  const sort = query.sort ?? (q === undefined ? 'name' : 'relevance');
  const asked: CatalogQuery = {
    ...(q === undefined ? {} : { text: q }),
    ...(tags === undefined ? {} : { tags }),
    ...(domain === undefined ? {} : { domain }),
    ...(handler === undefined ? {} : { handler }),
    ...(kind === undefined ? {} : { kind }),
  };
  const among = entries.filter(({ name }) => source === undefined || name.source === source);
  if (sort !== 'success_rate' && sort !== 'duration') {
    return searchCatalog(among, { ...asked, sort, limit, offset });
  }
  const { hits, total } = searchCatalog(among, { ...asked, sort: 'name', limit: MEASURED });
  if (total > MEASURED) {
    const message = `orders ${MEASURED} workflows at the most, and ${total} fit; narrow the search`;
    throw invalid([{ field: 'sort', code: 'too_many', message }]);
  }
  const names = hits.map(({ workflow }) => workflow.name);
  const { analytics } = await workflowRunStats(db, names, { perWorkflow: RUNS_OF_EACH, ...scope });
  return searchCatalog(among, { ...asked, sort, limit, offset }, analytics);
}
