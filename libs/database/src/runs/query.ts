/** Reading runs and their events. Nothing here decides anything. */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import type { RunKind, RunStatus } from '@spine/core';
import { idBoundBefore, lowestIdSince } from '../sql/id-window.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';
import { RUN_COLUMNS, toRunRecord } from './record.ts';
import type { RunRecord, RunRow } from './record.ts';

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
  /** Only runs of it. */
  readonly namespace?: string;
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

/** True of the runs that match; of a table, or what stands in its place with the same columns. */
export function matchesRun(filter: RunFilter): RawBuilder<boolean> {
  const { kind, status, name, lane, correlationId, parentRunId, tag, since, until, namespace } = filter;
  const conditions = [
    ...(namespace === undefined ? [] : [sql`namespace = ${namespace}`]),
    ...(kind === undefined ? [] : [sql`kind = ${kind}`]),
    ...(status === undefined ? [] : [sql`status IN (${sql.join(status)})`]),
    ...(name === undefined ? [] : [sql`name = ${name}`]),
    ...(lane === undefined ? [] : [sql`lane = ${lane}`]),
    ...(correlationId === undefined ? [] : [sql`correlation_id = ${correlationId}`]),
    ...(parentRunId === undefined ? [] : [sql`parent_run_id = ${parentRunId}`]),
    ...(tag === undefined ? [] : [sql`${tag} = ANY(tags)`]),
    // Ids are ordered by time, so a time window is a range of the primary key and needs no index of its own.
    ...(since === undefined ? [] : [sql`created_at >= ${since} AND id >= ${lowestIdSince(since)}`]),
    ...(until === undefined ? [] : [sql`created_at < ${until} AND id < ${idBoundBefore(until)}`]),
  ];
  return conditions.length === 0 ? sql<boolean>`true` : sql<boolean>`${sql.join(conditions, sql` AND `)}`;
}

/** A query for the runs that match. */
export function filterRuns(db: Db | DbTransaction, filter: RunFilter) {
  return db.selectFrom('runs').where(matchesRun(filter));
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

const RUN_SQL = `SELECT ${RUN_COLUMNS.join(', ')} FROM runs WHERE id = $1::uuid`;

/** The same for the connections of the hot path, whose statements are planned once. */
export async function lookUpRun(db: Queryable, runId: string): Promise<RunRecord | null> {
  const { rows } = await db.query<RunRow>({ name: 'spine_run', text: RUN_SQL, values: [runId] });
  const [row] = rows;
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

/** The namespace of a run, null for none; undefined for an id without a run. */
export async function runNamespace(db: Queryable, runId: string): Promise<string | null | undefined> {
  const { rows } = await db.query<{ namespace: string | null }>({
    name: 'spine_run_namespace',
    text: 'SELECT namespace FROM runs WHERE id = $1::uuid',
    values: [runId],
  });
  return rows[0]?.namespace;
}
