/** Reading runs and their events. Nothing here decides anything. */
import { sql } from 'kysely';
import type { RunKind, RunStatus } from '@spine/core';
import { idBoundBefore, lowestIdSince } from '../sql/id-window.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import { RUN_COLUMNS, toRunRecord } from './record.ts';
import type { RunRecord } from './record.ts';

export interface RunFilter {
  readonly kind?: RunKind;
  readonly status?: readonly RunStatus[];
  readonly name?: string;
  readonly lane?: string;
  readonly correlationId?: string;
  readonly parentRunId?: string;
  readonly tag?: string;
  /** Created at or after. */
  readonly since?: Date;
  /** Created before. */
  readonly until?: Date;
}

export interface RunPage {
  readonly runs: readonly RunRecord[];
  /** Matching runs, counted up to {@link COUNT_LIMIT}. */
  readonly total: number;
  /** True when there are more than were counted. */
  readonly totalIsCapped: boolean;
  readonly hasMore: boolean;
}

export interface RunPageRequest {
  readonly limit: number;
  readonly offset: number;
  /** Only runs older than this id (keyset paging); newest first. */
  readonly beforeRunId?: string;
}

/** Counting stops here: an exact total over millions of runs would cost more than the page it decorates. */
export const COUNT_LIMIT = 10_000;

/** A query for the runs that match. */
export function filterRuns(db: Db | DbTransaction, filter: RunFilter) {
  let query = db.selectFrom('runs');
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.status !== undefined) query = query.where('status', 'in', [...filter.status]);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.lane !== undefined) query = query.where('lane', '=', filter.lane);
  if (filter.correlationId !== undefined) query = query.where('correlation_id', '=', filter.correlationId);
  if (filter.parentRunId !== undefined) query = query.where('parent_run_id', '=', filter.parentRunId);
  if (filter.tag !== undefined) query = query.where(sql<boolean>`${filter.tag} = ANY(tags)`);
  if (filter.since !== undefined) {
    // Ids are ordered by time, so a time window is a range of the primary key and needs no index of its own.
    query = query.where('created_at', '>=', filter.since).where('id', '>=', lowestIdSince(filter.since));
  }
  if (filter.until !== undefined) {
    query = query.where('created_at', '<', filter.until).where('id', '<', idBoundBefore(filter.until));
  }
  return query;
}

/** Runs that match, newest first. */
export async function listRuns(db: Db, filter: RunFilter, page: RunPageRequest): Promise<RunPage> {
  let query = filterRuns(db, filter)
    .select([...RUN_COLUMNS])
    .orderBy('id', 'desc')
    .limit(page.limit + 1)
    .offset(page.offset);
  if (page.beforeRunId !== undefined) query = query.where('id', '<', page.beforeRunId);
  const [rows, counted] = await Promise.all([
    query.execute(),
    db
      .selectFrom(
        filterRuns(db, filter)
          .select('id')
          .limit(COUNT_LIMIT + 1)
          .as('m'),
      )
      .select(sql<number>`count(*)::int`.as('count'))
      .executeTakeFirstOrThrow(),
  ]);
  return {
    runs: rows.slice(0, page.limit).map(toRunRecord),
    total: Math.min(counted.count, COUNT_LIMIT),
    totalIsCapped: counted.count > COUNT_LIMIT,
    hasMore: rows.length > page.limit,
  };
}

/** One run, or null. */
export async function getRun(db: Db, runId: string): Promise<RunRecord | null> {
  const row = await db
    .selectFrom('runs')
    .select([...RUN_COLUMNS])
    .where('id', '=', runId)
    .executeTakeFirst();
  return row === undefined ? null : toRunRecord(row);
}

/** Several runs by id; ids without a run are missing from the answer. */
export async function getRuns(db: Db, runIds: readonly string[]): Promise<RunRecord[]> {
  if (runIds.length === 0) return [];
  const rows = await db
    .selectFrom('runs')
    .select([...RUN_COLUMNS])
    .where('id', 'in', [...runIds])
    .execute();
  return rows.map(toRunRecord);
}
