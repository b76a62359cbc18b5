/**
 * The runs that match, page by page, newest first.
 *
 * 1. What an index answers (who they belong to, when they were created, states that few runs are in) is asked of the index.
 * 2. What none answers (handler, lane, tag, completed) is looked for among the newest {@link SEARCH_LIMIT} of those, and no
 *    further: a page costs the same whatever the table holds. An index for it would be written to three times a run, for a
 *    question that is asked now and then.
 * 3. Nothing is lost: a search that ends before everything was looked at says where the next page goes on.
 */
import { sql } from 'kysely';
import type { RunStatus } from '@spine/core';
import type { Db } from '../sql/kysely.ts';
import { ACTIVE_STATUSES } from './active.ts';
import { COUNT_LIMIT, filterRuns, matchesRun } from './query.ts';
import type { RunFilter, RunPage, RunPageRequest } from './query.ts';
import { RUN_COLUMNS, toRunRecord } from './record.ts';

/** Runs that one page looks through, at the most. */
export const SEARCH_LIMIT = 50_000;

/** States whose runs have an index of their own. */
const INDEXED: ReadonlySet<RunStatus> = new Set<RunStatus>([
  ...ACTIVE_STATUSES,
  'failed',
  'cancelled',
  'timed_out',
  'dead_lettered',
]);

export interface RunListPage extends RunPage {
  /** The next page has the runs before this one; null at the end. */
  readonly nextBefore: string | null;
  /** The search ended before everything was looked at: there may be more that match, on the pages that follow. */
  readonly searchEnded: boolean;
}

interface Split {
  /** Answered by an index. */
  readonly base: RunFilter;
  /** Looked at run by run; null for nothing. */
  readonly rest: RunFilter | null;
}

/** Which of the conditions an index answers. */
function split({ kind, name, lane, tag, status, ...base }: RunFilter): Split {
  const handler = { ...(kind === undefined ? {} : { kind }), ...(name === undefined ? {} : { name }) };
  const ofWorkflow = kind === 'workflow' && name !== undefined;
  const states = status === undefined ? {} : { status };
  const fewStates = status?.every((each) => INDEXED.has(each)) === true;
  const rest: RunFilter = {
    ...(ofWorkflow ? {} : handler),
    ...(fewStates ? {} : states),
    ...(lane === undefined ? {} : { lane }),
    ...(tag === undefined ? {} : { tag }),
  };
  return {
    base: { ...base, ...(ofWorkflow ? handler : {}), ...(fewStates ? states : {}) },
    rest: Object.keys(rest).length === 0 ? null : rest,
  };
}

/** What is looked at: of the base, or of the newest of it, from `before` on. */
function candidates(db: Db, { base, rest }: Split, before?: string) {
  const matching = filterRuns(db, base);
  const all = before === undefined ? matching : matching.where('id', '<', before);
  return rest === null ? all : all.orderBy('id', 'desc').limit(SEARCH_LIMIT);
}

async function countOf(db: Db, filter: Split): Promise<number> {
  const matching = db
    .selectFrom(candidates(db, filter).select(['id', 'kind', 'name', 'lane', 'tags', 'status']).as('c'))
    .where(matchesRun(filter.rest ?? {}))
    .select('id')
    .orderBy('id', 'desc')
    .limit(COUNT_LIMIT + 1);
  const { count } = await db
    .selectFrom(matching.as('m'))
    .select(sql<number>`count(*)::int`.as('count'))
    .executeTakeFirstOrThrow();
  return count;
}

/** The last run that a search has looked at; null when it has looked at all. */
async function searchEnd(db: Db, filter: Split, before?: string): Promise<string | null> {
  if (filter.rest === null) return null;
  const last = await candidates(db, filter, before)
    .select('id')
    .offset(SEARCH_LIMIT - 1)
    .limit(1)
    .executeTakeFirst();
  return last?.id ?? null;
}

/**
 * Runs that match, newest first.
 * @param isManyKnown somebody has counted moments ago, and there were more than are told: they are not counted again
 */
export async function listRuns(
  db: Db,
  filter: RunFilter,
  page: RunPageRequest,
  isManyKnown = false,
): Promise<RunListPage> {
  const parts = split(filter);
  const { limit, offset, beforeRunId } = page;
  const rows = await db
    .selectFrom(
      candidates(db, parts, beforeRunId)
        .select([...RUN_COLUMNS])
        .as('c'),
    )
    .where(matchesRun(parts.rest ?? {}))
    .selectAll()
    .orderBy('id', 'desc')
    .limit(limit + 1)
    .offset(offset)
    .execute();
  const runs = rows.slice(0, limit).map(toRunRecord);
  const isFirst = beforeRunId === undefined && offset === 0;
  // A first page that is not full is all there is.
  const count =
    isFirst && rows.length <= limit ? rows.length : isManyKnown ? COUNT_LIMIT + 1 : await countOf(db, parts);
  // Counting has seen the whole search, where it was not ended by its own limit.
  const searchedTo = count > COUNT_LIMIT ? null : await searchEnd(db, parts);
  const totalIsCapped = count > COUNT_LIMIT || searchedTo !== null;
  const found = { runs, total: Math.min(count, COUNT_LIMIT), totalIsCapped };
  if (rows.length > limit) {
    return { ...found, hasMore: true, nextBefore: runs.at(-1)?.runId ?? null, searchEnded: false };
  }
  const end = isFirst ? searchedTo : await searchEnd(db, parts, beforeRunId);
  if (end === null) return { ...found, hasMore: false, nextBefore: null, searchEnded: false };
  // Runs that came between the two statements have moved the end: what the next page will show is left to it.
  const upToEnd = runs.filter(({ runId }) => runId >= end);
  return { ...found, runs: upToEnd, hasMore: true, nextBefore: end, searchEnded: true };
}
