/**
 * What became of the runs of the last hours. Nothing here decides anything.
 *
 * Ids are ordered by time, so a window is a range of the primary key, read from its newest end. Reading stops at a limit:
 * the answer then says so, and since when it is complete. No index is kept for this: one on `completed_at` would cost
 * every settlement.
 */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { RUN_STATUSES } from '@spine/core';
import type { RunKind, RunStatus } from '@spine/core';
import type { Db } from '../sql/kysely.ts';

/** Runs counted by one query, at the most. */
export const STATS_LIMIT = 100_000;

/** Handlers listed, those with the most runs first. */
export const HANDLER_LIMIT = 200;

/** How far a submitter's clock, which makes the id, may be behind the database's, which stamps created_at. */
const CLOCK_SLACK = sql`interval '10 minutes'`;

/** What a window of runs covers. */
export interface CountedWindow {
  /** Hours back from now. */
  readonly hours: number;
  /** The database's clock. */
  readonly now: Date;
  /** Runs that were counted. */
  readonly runs: number;
  /** True: there are more runs in the window than were counted; the older ones are missing. */
  readonly isCapped: boolean;
  /** When the oldest counted run was submitted; null for none. */
  readonly countedSince: Date | null;
}

/** Milliseconds; null where there was nothing to measure. */
export interface Percentiles {
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
}

export interface RunStats {
  readonly runs: number;
  readonly byStatus: Readonly<Record<RunStatus, number>>;
  /** Share of the runs that ended by themselves (not cancelled) that completed, 0 to 1; null when none did. */
  readonly successRate: number | null;
  /** Attempts started. */
  readonly attempts: number;
  /** Attempts whose worker went silent. */
  readonly crashes: number;
  /** From the first start to the end, of runs that ended by themselves. */
  readonly durationMs: Percentiles;
  /**
   * From being due to the first start. Without runs that were queued again since: their due time is that of the last
   * attempt.
   */
  readonly waitMs: Percentiles;
}

export interface HandlerStats extends RunStats {
  readonly kind: RunKind;
  readonly name: string;
}

export interface WindowStats extends RunStats {
  readonly window: CountedWindow;
}

export interface HandlerWindowStats {
  readonly window: CountedWindow;
  readonly handlers: readonly HandlerStats[];
}

/** What the health of the engine is told by. */
export interface LastHour {
  /** Runs that ended by themselves. */
  readonly ended: number;
  /** Of these, those without success. */
  readonly failed: number;
  readonly attempts: number;
  readonly crashes: number;
}

/** All of a window that is looked at together, from one reading of its runs. */
export interface WindowOverview extends HandlerWindowStats {
  readonly runs: RunStats;
  /** Of the counted runs, those submitted in the last hour. */
  readonly lastHour: LastHour;
}

/** The newest runs submitted in the last `hours` hours, at most `limit`: a range of the primary key, or of a namespace's index. */
export function runsOfWindow(
  columns: RawBuilder<unknown>,
  hours: number,
  limit: number,
  namespace: string | undefined,
): RawBuilder<unknown> {
  const own = namespace === undefined ? sql`` : sql`namespace = ${namespace} AND`;
  return sql`SELECT ${columns} FROM runs
    WHERE ${own} id >= spine_run_id_at(now() - ${hours}::integer * interval '1 hour' - ${CLOCK_SLACK})
      AND created_at >= (SELECT now() - ${hours}::integer * interval '1 hour')
    ORDER BY id DESC LIMIT ${limit}::integer`;
}

const ENDED_BY_ITSELF = sql`status IN ('completed', 'failed', 'timed_out', 'dead_lettered')`;

/** Per measured run its duration and wait in milliseconds, or null. As doubles: exact numerics take twice the time. */
const MEASURED = sql`kind, name, status, attempt, crash_count, created_at,
  CASE WHEN ${ENDED_BY_ITSELF} THEN extract(epoch FROM completed_at - started_at)::float8 * 1000 END AS duration_ms,
  CASE WHEN available_at <= started_at
    THEN extract(epoch FROM started_at - GREATEST(available_at, created_at))::float8 * 1000 END AS wait_ms`;

const COUNT_BY_STATUS = sql.join(
  RUN_STATUSES.map(
    (status) => sql`count(*) FILTER (WHERE status = ${sql.lit(status)})::int AS ${sql.id(status)}`,
  ),
);

const AGGREGATES = sql`count(*)::int AS runs, ${COUNT_BY_STATUS}, COALESCE(sum(attempt), 0)::int AS attempts,
  COALESCE(sum(crash_count), 0)::int AS crashes,
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY duration_ms) AS duration_ms,
  percentile_cont(ARRAY[0.5, 0.95, 0.99]) WITHIN GROUP (ORDER BY wait_ms) AS wait_ms`;

type StatsRow = Readonly<Record<RunStatus, number>> & {
  readonly runs: number;
  readonly attempts: number;
  readonly crashes: number;
  readonly duration_ms: readonly (number | null)[] | null;
  readonly wait_ms: readonly (number | null)[] | null;
};

interface WindowColumns {
  readonly now: Date;
  readonly counted: number;
  readonly counted_since: Date | null;
}

function toPercentiles(values: readonly (number | null)[] | null): Percentiles {
  const round = (value: number | null | undefined): number | null =>
    value === null || value === undefined ? null : Math.round(value * 1000) / 1000;
  return { p50: round(values?.[0]), p95: round(values?.[1]), p99: round(values?.[2]) };
}

function toRunStats(row: StatsRow): RunStats {
  const { completed, failed, timed_out, dead_lettered } = row;
  const ended = completed + failed + timed_out + dead_lettered;
  const counts = RUN_STATUSES.map((status) => [status, row[status]] as const);
  return {
    runs: row.runs,
    byStatus: Object.fromEntries(counts) as Record<RunStatus, number>,
    successRate: ended === 0 ? null : completed / ended,
    attempts: row.attempts,
    crashes: row.crashes,
    durationMs: toPercentiles(row.duration_ms),
    waitMs: toPercentiles(row.wait_ms),
  };
}

export function toCountedWindow(hours: number, limit: number, row: WindowColumns): CountedWindow {
  return {
    hours,
    now: row.now,
    runs: row.counted,
    isCapped: row.counted >= limit,
    countedSince: row.counted_since,
  };
}

/** Counts, rates and percentiles of the runs submitted in the last `hours` hours. */
export async function runStats(
  db: Db,
  hours: number,
  limit = STATS_LIMIT,
  namespace?: string,
): Promise<WindowStats> {
  const { rows } = await sql<StatsRow & WindowColumns>`
    WITH w AS (${runsOfWindow(MEASURED, hours, limit, namespace)})
    SELECT now() AS now, count(*)::int AS counted, min(created_at) AS counted_since, ${AGGREGATES} FROM w`.execute(
    db,
  );
  const [row] = rows;
  if (row === undefined) throw new TypeError('an aggregate without groups answered no row');
  return { window: toCountedWindow(hours, limit, row), ...toRunStats(row) };
}

const IN_LAST_HOUR = sql`created_at >= (SELECT now() - interval '1 hour')`;

interface OverviewRow extends StatsRow, WindowColumns {
  readonly is_total: boolean;
  readonly kind: RunKind | null;
  readonly name: string | null;
  readonly hour_ended: number;
  readonly hour_failed: number;
  readonly hour_attempts: number;
  readonly hour_crashes: number;
}

/**
 * The same for all runs and for each handler, those with the most runs first, at most {@link HANDLER_LIMIT}. The runs are read
 * once for everything.
 */
export async function windowOverview(
  db: Db,
  hours: number,
  limit = STATS_LIMIT,
  namespace?: string,
): Promise<WindowOverview> {
  const { rows } = await sql<OverviewRow>`
    WITH w AS (${runsOfWindow(MEASURED, hours, limit, namespace)})
    SELECT now() AS now, count(*)::int AS counted, min(created_at) AS counted_since, grouping(kind, name) <> 0 AS is_total,
      kind, name, ${AGGREGATES},
      count(*) FILTER (WHERE ${ENDED_BY_ITSELF} AND ${IN_LAST_HOUR})::int AS hour_ended,
      count(*) FILTER (WHERE ${ENDED_BY_ITSELF} AND status <> 'completed' AND ${IN_LAST_HOUR})::int AS hour_failed,
      COALESCE(sum(attempt) FILTER (WHERE ${IN_LAST_HOUR}), 0)::int AS hour_attempts,
      COALESCE(sum(crash_count) FILTER (WHERE ${IN_LAST_HOUR}), 0)::int AS hour_crashes
    FROM w GROUP BY GROUPING SETS ((), (kind, name))
    ORDER BY is_total DESC, runs DESC, kind, name LIMIT ${HANDLER_LIMIT + 1}::integer`.execute(db);
  const [total] = rows;
  if (total === undefined) throw new TypeError('an aggregate without groups answered no row');
  const { hour_ended, hour_failed, hour_attempts, hour_crashes } = total;
  return {
    window: toCountedWindow(hours, limit, total),
    runs: toRunStats(total),
    lastHour: { ended: hour_ended, failed: hour_failed, attempts: hour_attempts, crashes: hour_crashes },
    handlers: rows.flatMap((row) =>
      row.is_total || row.kind === null || row.name === null
        ? []
        : [{ kind: row.kind, name: row.name, ...toRunStats(row) }],
    ),
  };
}

/** The part of {@link windowOverview} that is about handlers. */
export async function handlerStats(
  db: Db,
  hours: number,
  limit = STATS_LIMIT,
  namespace?: string,
): Promise<HandlerWindowStats> {
  const { window, handlers } = await windowOverview(db, hours, limit, namespace);
  return { window, handlers };
}
