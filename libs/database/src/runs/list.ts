/**
 * The runs that match, page by page, newest first.
 *
 * 1. What an index answers (who they belong to, when they were created, states that few runs are in) is asked of the index.
 * 2. What none answers (handler, lane, tag, completed) is looked for among the newest {@link SEARCH_LIMIT} of those, and no
 *    further: a page costs the same whatever the table holds. An index for it would be written to three times a run, for a
 *    question that is asked now and then.
 * 3. Nothing is lost: a search that ends before everything was looked at says where the next page goes on. The page and its
 *    end are of one view of the table, whatever comes and goes meanwhile.
 * 4. A page reads no more runs than it shows, and one. What it says of their number costs more than that, and is not asked
 *    again where the caller knows it.
 */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { RunStatus } from '@spine/core';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';
import { ACTIVE_STATUSES } from './active.ts';
import { preparedPage, UNSUCCESSFUL_STATUSES } from './list-page.ts';
import { COUNT_LIMIT, matchesRun } from './query.ts';
import type { RunFilter, RunPage, RunPageRequest } from './query.ts';
import { RUN_COLUMNS, toRunRecord } from './record.ts';
import type { RunRow } from './record.ts';

/** Runs that one page looks through, at the most. */
export const SEARCH_LIMIT = 10_000;

/** States whose runs have an index of their own. */
const INDEXED: ReadonlySet<RunStatus> = new Set<RunStatus>([...ACTIVE_STATUSES, ...UNSUCCESSFUL_STATUSES]);

/** How many runs match, as {@link RunPage} tells it. */
export type RunTotal = Pick<RunPage, 'total' | 'totalIsCapped'>;

export interface ListRunsOptions {
  /** What was counted of the same filter lately: it is not counted again. */
  readonly total?: RunTotal;
  /** Connections that plan a statement once, for pages that may use them. */
  readonly hot?: Queryable;
}

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

// Whole texts: putting forty columns into a query builder costs more than reading the page.
const ALL_COLUMNS = sql.raw(RUN_COLUMNS.join(', '));

/** True of the runs that are looked at: of the base, or of those of it before `before`. */
function isCandidate({ base }: Split, before: string | undefined): RawBuilder<boolean> {
  const matches = matchesRun(base);
  return before === undefined ? matches : sql<boolean>`${matches} AND id < ${before}`;
}

/** The columns that a search's conditions are about, and the id. */
function searchedColumns({ kind, name, lane, tag, status }: RunFilter): RawBuilder<unknown> {
  const asked = { kind, name, lane, tags: tag, status };
  const columns = (['kind', 'name', 'lane', 'tags', 'status'] as const).filter(
    (column) => asked[column] !== undefined,
  );
  return sql.raw(['id', ...columns].join(', '));
}

/**
 * The ids of what matches, newest first. Of the runs that a search looks at, only the columns of its conditions are read:
 * whole rows would take twice the time.
 */
function matchingIds(filter: Split, before: string | undefined, limit: number, offset: number) {
  const { rest } = filter;
  const candidate = isCandidate(filter, before);
  const from =
    rest === null
      ? sql`runs WHERE ${candidate}`
      : sql`(SELECT ${searchedColumns(rest)} FROM runs WHERE ${candidate} ORDER BY id DESC LIMIT ${sql.lit(SEARCH_LIMIT)}) c
          WHERE ${matchesRun(rest)}`;
  return sql`SELECT id FROM ${from} ORDER BY id DESC LIMIT ${limit}::integer OFFSET ${offset}::integer`;
}

async function countOf(db: Db, filter: Split): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM (${matchingIds(filter, undefined, COUNT_LIMIT + 1, 0)}) m`.execute(db);
  return rows[0]?.count ?? 0;
}

/** The last run that a search looks at; no row where it looks at all. */
function endOfSearch(filter: Split, before: string | undefined): RawBuilder<unknown> {
  return sql`SELECT id FROM runs WHERE ${isCandidate(filter, before)}
    ORDER BY id DESC LIMIT 1 OFFSET ${sql.lit(SEARCH_LIMIT - 1)}`;
}

async function isSearchEnded(db: Db, filter: Split): Promise<boolean> {
  if (filter.rest === null) return false;
  const { rows } = await endOfSearch(filter, undefined).execute(db);
  return rows.length > 0;
}

async function totalOf(db: Db, filter: Split): Promise<RunTotal> {
  const count = await countOf(db, filter);
  // Counting has seen the whole search, where it was not ended by its own limit.
  const totalIsCapped = count > COUNT_LIMIT || (await isSearchEnded(db, filter));
  return { total: Math.min(count, COUNT_LIMIT), totalIsCapped };
}

/** One run more than the page shows, where there is one; and where a search has ended that did not fill the page. */
interface Read {
  readonly rows: readonly RunRow[];
  readonly end: string | null;
}

async function readPage(
  db: Db,
  filter: RunFilter,
  page: RunPageRequest,
  hot: Queryable | undefined,
): Promise<Read> {
  const prepared = hot === undefined ? null : preparedPage(filter, page);
  if (hot !== undefined && prepared !== null)
    return { rows: (await hot.query<RunRow>(prepared)).rows, end: null };
  const parts = split(filter);
  if (parts.rest !== null) return search(db, parts, page);
  const { limit, offset, beforeRunId } = page;
  const { rows } = await sql<RunRow>`SELECT ${ALL_COLUMNS} FROM runs WHERE ${isCandidate(parts, beforeRunId)}
    ORDER BY id DESC LIMIT ${limit + 1}::integer OFFSET ${offset}::integer`.execute(db);
  return { rows, end: null };
}

type FoundRow = RunRow & { readonly search_end: string | null };
/** Of a search without a run; where it ended. */
type NothingFound = { readonly id: null; readonly search_end: string | null };

/** In one statement, which has one view of the table: runs that leave it between two would move the end past others. */
async function search(db: Db, parts: Split, { limit, offset, beforeRunId }: RunPageRequest): Promise<Read> {
  const { rows } = await sql<FoundRow | NothingFound>`WITH p AS MATERIALIZED (
    SELECT ${ALL_COLUMNS} FROM runs WHERE id = ANY (ARRAY(${matchingIds(parts, beforeRunId, limit + 1, offset)}))
  ), e AS (
    SELECT CASE WHEN (SELECT count(*) FROM p) <= ${limit}::integer THEN (${endOfSearch(parts, beforeRunId)}) END AS search_end
  )
  SELECT e.search_end, p.* FROM e LEFT JOIN p ON true ORDER BY p.id DESC`.execute(db);
  return {
    rows: rows.filter((row): row is FoundRow => row.id !== null),
    end: rows[0]?.search_end ?? null,
  };
}

/** Runs that match, newest first. */
export async function listRuns(
  db: Db,
  filter: RunFilter,
  page: RunPageRequest,
  { total: known, hot }: ListRunsOptions = {},
): Promise<RunListPage> {
  const { limit, offset, beforeRunId } = page;
  const parts = split(filter);
  const { rows, end } = await readPage(db, filter, page, hot);
  const runs = rows.slice(0, limit).map(toRunRecord);
  if (rows.length > limit) {
    const total = known ?? (await totalOf(db, parts));
    return { runs, ...total, hasMore: true, nextBefore: runs.at(-1)?.runId ?? null, searchEnded: false };
  }
  // A first page that is not full, of a search that has seen everything, is all there is.
  const isAll = beforeRunId === undefined && offset === 0;
  const total = isAll
    ? { total: rows.length, totalIsCapped: end !== null }
    : (known ?? (await totalOf(db, parts)));
  if (end === null) return { runs, ...total, hasMore: false, nextBefore: null, searchEnded: false };
  return { runs, ...total, hasMore: true, nextBefore: end, searchEnded: true };
}
