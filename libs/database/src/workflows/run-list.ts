/**
 * The runs of a workflow, newest first.
 *
 * Each status is looked up for itself in `runs_workflow`, from its newest run, and the finds are merged: what is asked for
 * decides the cost, however many runs of other statuses there are. The runs of a version are those that have begun.
 */
import { sql } from 'kysely';
import type { RawBuilder } from 'kysely';
import { RUN_STATUSES } from '@spine/core';
import type { RunStatus, WorkflowPartition } from '@spine/core';
import { COUNT_LIMIT } from '../runs/query.ts';
import type { RunPage, RunPageRequest } from '../runs/query.ts';
import { RUN_COLUMNS, toRunRecord } from '../runs/record.ts';
import type { RunRow } from '../runs/record.ts';
import { lowestIdSince } from '../sql/id-window.ts';
import type { Db } from '../sql/kysely.ts';

export interface WorkflowRunFilter {
  /** Default: any. */
  readonly status?: readonly RunStatus[];
  readonly partition?: WorkflowPartition;
  /** Of the definition that it began with. */
  readonly version?: number;
  /** Created at or after. */
  readonly since?: Date;
  /** Only runs of it. */
  readonly namespace?: string;
}

const COLUMNS = sql.join(RUN_COLUMNS.map((column) => sql.ref(`r.${column}`)));

/** The newest `limit` matching runs. */
function newest(
  name: string,
  { status = RUN_STATUSES, partition, version, since, namespace }: WorkflowRunFilter,
  columns: RawBuilder<unknown>,
  limit: number,
  before: string | null,
): RawBuilder<unknown> {
  const conditions = [sql`r.kind = 'workflow'`, sql`r.name = ${name}`];
  if (partition !== undefined) {
    const text = JSON.stringify(partition);
    conditions.push(
      sql`r.metadata ? 'workflow_partition'`,
      sql`md5(r.metadata ->> 'workflow_partition') = md5((${text}::jsonb)::text)`,
    );
  }
  if (before !== null) conditions.push(sql`r.id < ${before}::uuid`);
  if (since !== undefined) {
    conditions.push(sql`r.created_at >= ${since}`, sql`r.id >= ${lowestIdSince(since)}::uuid`);
  }
  if (namespace !== undefined) conditions.push(sql`r.namespace = ${namespace}`);
  const where = sql.join(conditions, sql` AND `);
  if (version !== undefined) {
    const older = before === null ? sql`` : sql`AND w.run_id < ${before}::uuid`;
    return sql`SELECT ${columns} FROM workflow_runs w CROSS JOIN LATERAL (SELECT r.* FROM runs r WHERE r.id = w.run_id LIMIT 1) r
      WHERE w.name = ${name} AND w.version = ${version} ${older} AND ${where} AND r.status || '' = ANY (${[...status]}::text[])
      ORDER BY w.run_id DESC LIMIT ${limit}`;
  }
  return sql`SELECT ${columns} FROM unnest(${[...new Set(status)]}::text[]) AS s(status) CROSS JOIN LATERAL (
      SELECT r.* FROM runs r WHERE ${where} AND r.status = s.status ORDER BY r.id DESC LIMIT ${limit}
    ) r ORDER BY r.id DESC LIMIT ${limit}`;
}

/** Runs of a workflow that match, newest first. */
export async function listWorkflowRuns(
  db: Db,
  name: string,
  filter: WorkflowRunFilter,
  { limit, offset, beforeRunId }: RunPageRequest,
): Promise<RunPage> {
  const { rows } = await sql<RunRow>`SELECT p.* FROM (
    ${newest(name, filter, COLUMNS, offset + limit + 1, beforeRunId ?? null)}
  ) p ORDER BY p.id DESC OFFSET ${offset}`.execute(db);
  const counted = await sql<{ n: number }>`SELECT count(*)::int AS n FROM (
    ${newest(name, filter, sql`r.id`, COUNT_LIMIT + 1, null)}
  ) m`.execute(db);
  const total = counted.rows[0]?.n ?? 0;
  return {
    runs: rows.slice(0, limit).map(toRunRecord),
    total: Math.min(total, COUNT_LIMIT),
    totalIsCapped: total > COUNT_LIMIT,
    hasMore: rows.length > limit,
  };
}
