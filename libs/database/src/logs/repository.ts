/** The log lines of handlers, kept with their run. Append only. */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';

/** A line of an attempt, on its way to its run. */
export interface NewRunLog {
  readonly runId: string;
  readonly epoch: number;
  readonly attempt: number;
  /** pino's number: 10 trace, 20 debug, 30 info, 40 warn, 50 error, 60 fatal. */
  readonly level: number;
  /** Storable text. */
  readonly message: string;
  /** JSON text of an object, or null. */
  readonly fields: string | null;
  readonly timestamp: Date;
}

/**
 * Appends lines, each only while its attempt holds the run; answers per line, in order.
 *
 * The check takes no lock: a line that is written while its attempt is settled was said before. A lock on the row of a
 * run that logs all the time would make the heartbeat, which skips what is locked, miss it.
 */
export async function appendRunLogs(
  db: Queryable,
  lines: readonly NewRunLog[],
): Promise<readonly ('appended' | 'fenced')[]> {
  const { rows } = await db.query<{ ord: number }>({
    name: 'spine_append_logs',
    text: `WITH i AS (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::integer[], $4::smallint[], $5::text[], $6::text[], $7::timestamptz[])
    WITH ORDINALITY AS t(run_id, epoch, attempt, level, message, fields, at, ord)
), h AS (
  SELECT r.id, r.epoch FROM runs r WHERE r.id = ANY($8::uuid[]) AND r.status || '' = 'running'
), k AS (
  SELECT i.* FROM i JOIN h ON h.id = i.run_id AND h.epoch = i.epoch
), w AS (
  INSERT INTO run_logs (run_id, epoch, attempt, level, message, fields, timestamp)
  SELECT run_id, epoch, attempt, level, message, fields::jsonb, at FROM k ORDER BY ord
)
SELECT ord::int AS ord FROM k`,
    values: [
      plainArray(lines.map((line) => line.runId)),
      plainArray(lines.map((line) => line.epoch)),
      plainArray(lines.map((line) => line.attempt)),
      plainArray(lines.map((line) => line.level)),
      textArray(lines.map((line) => line.message)),
      textArray(lines.map((line) => line.fields)),
      plainArray(lines.map((line) => line.timestamp.toISOString())),
      plainArray([...new Set(lines.map((line) => line.runId))]),
    ],
  });
  const appended = new Set(rows.map((row) => row.ord));
  return lines.map((_, index) => (appended.has(index + 1) ? 'appended' : 'fenced'));
}

/** A stored line. */
export interface RunLog {
  readonly logId: string;
  readonly runId: string;
  readonly epoch: number;
  readonly attempt: number;
  readonly level: number;
  readonly message: string;
  readonly fields: unknown;
  readonly timestamp: Date;
}

export interface RunLogFilter {
  /** This severe or more. */
  readonly minLevel?: number;
  readonly attempt?: number;
}

export interface RunLogPage {
  readonly lines: readonly RunLog[];
  readonly total: number;
  readonly hasMore: boolean;
}

/** Lines of one run in the order they were stored, from after `afterLogId` on. */
export async function listRunLogs(
  db: Db,
  runId: string,
  filter: RunLogFilter,
  page: { readonly limit: number; readonly offset: number; readonly afterLogId?: string },
): Promise<RunLogPage> {
  const { minLevel, attempt } = filter;
  let matching = db.selectFrom('run_logs').where('run_id', '=', runId);
  if (minLevel !== undefined) matching = matching.where('level', '>=', minLevel);
  if (attempt !== undefined) matching = matching.where('attempt', '=', attempt);
  let query = matching.selectAll();
  if (page.afterLogId !== undefined) query = query.where('log_id', '>', Number(page.afterLogId));
  const [rows, { count }] = await Promise.all([
    query
      .orderBy('log_id')
      .limit(page.limit + 1)
      .offset(page.offset)
      .execute(),
    matching.select(({ fn }) => fn.countAll<number>().as('count')).executeTakeFirstOrThrow(),
  ]);
  return {
    lines: rows.slice(0, page.limit).map((row) => ({
      logId: String(row.log_id),
      runId: row.run_id,
      epoch: row.epoch,
      attempt: row.attempt,
      level: row.level,
      message: row.message,
      fields: row.fields,
      timestamp: row.timestamp,
    })),
    total: Number(count),
    hasMore: rows.length > page.limit,
  };
}
