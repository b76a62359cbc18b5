/** What workflow runs were told, in order. Appended by advances (see advance.ts), never changed. */
import { asQueryable } from '../sql/kysely.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';

export interface WorkflowHistoryRecord {
  /** From 1, without gaps. */
  readonly no: number;
  /** The time that was planned for, the database's. */
  readonly timestamp: Date;
  /** JSON of the event. */
  readonly event: unknown;
}

/** An event whose payload may have been left out. */
export interface ShownHistoryRecord extends WorkflowHistoryRecord {
  readonly omitted: boolean;
}

/** Where events carry what may be large: outputs, data of signals, params, context. */
const LARGE = [
  '{result,output}',
  '{result,contextUpdates}',
  '{result,modifications}',
  '{outputs}',
  '{data}',
  '{params}',
  '{context}',
  '{previous}',
  '{fork}',
  '{modification,step}',
  '{modification,params}',
];

export const HISTORY_SQL = `SELECT h.event_no, h.timestamp, b.omitted,
  CASE WHEN b.omitted THEN ${LARGE.reduce((event, path) => `(${event} #- '${path}')`, 'h.event')} ELSE h.event END AS event
FROM workflow_history h CROSS JOIN LATERAL (SELECT octet_length(h.event::text) > $3::integer AS omitted) b
WHERE h.run_id = $1::uuid AND h.event_no > $2::bigint ORDER BY h.event_no LIMIT $4 OFFSET $5`;

export interface WorkflowHistoryPage {
  readonly items: readonly ShownHistoryRecord[];
  readonly hasMore: boolean;
}

/** Events of a run, the first one first. @param page.maxBytes of JSON; larger events are shown without their payload. */
export async function listWorkflowHistory(
  db: Db | DbTransaction,
  runId: string,
  page: {
    readonly after: number;
    readonly limit: number;
    readonly offset: number;
    readonly maxBytes: number;
  },
): Promise<WorkflowHistoryPage> {
  const { rows } = await asQueryable(db).query<{
    event_no: number;
    timestamp: Date;
    omitted: boolean;
    event: unknown;
  }>({
    text: HISTORY_SQL,
    values: [runId, page.after, page.maxBytes, page.limit + 1, page.offset],
  });
  return {
    items: rows
      .slice(0, page.limit)
      .map(({ event_no: no, timestamp, omitted, event }) => ({ no, timestamp, omitted, event })),
    hasMore: rows.length > page.limit,
  };
}

/** How many events a run has, and how much JSON they are. Reads no more than `limit` of them. */
export async function sizeOfWorkflowHistory(
  trx: DbTransaction,
  runId: string,
  limit: number,
): Promise<{ readonly events: number; readonly bytes: number }> {
  const { rows } = await asQueryable(trx).query<{ events: number; bytes: number }>({
    text: `SELECT count(*)::int AS events, coalesce(sum(octet_length(event::text)), 0)::float8 AS bytes
FROM (SELECT event FROM workflow_history WHERE run_id = $1::uuid ORDER BY event_no LIMIT $2) h`,
    values: [runId, limit],
  });
  return rows[0] ?? { events: 0, bytes: 0 };
}

/** All of it: ask {@link sizeOfWorkflowHistory} first. */
export async function readWorkflowHistory(
  trx: DbTransaction,
  runId: string,
): Promise<WorkflowHistoryRecord[]> {
  const rows = await trx
    .selectFrom('workflow_history')
    .select(['event_no', 'timestamp', 'event'])
    .where('run_id', '=', runId)
    .orderBy('event_no')
    .execute();
  return rows.map(({ event_no: no, timestamp, event }) => ({ no, timestamp, event }));
}

export interface ChildWorkflow {
  readonly unit: string;
  readonly attempt: number;
  readonly runId: string;
}

/** The workflows that a run has started and waited for, with the run that has ended for each. */
export async function readChildWorkflows(
  trx: DbTransaction,
  runId: string,
  limit: number,
): Promise<ChildWorkflow[]> {
  const rows = await trx
    .selectFrom('workflow_steps')
    .select(['unit', 'attempt', 'run_id'])
    .where('workflow_run_id', '=', runId)
    .where('kind', '=', 'child')
    .orderBy('created_at')
    .orderBy('unit')
    .limit(limit)
    .execute();
  return rows.map(({ unit, attempt, run_id }) => ({ unit, attempt, runId: run_id }));
}
