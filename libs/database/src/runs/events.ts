import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';

/** One line of a run's history. Append only. */
export interface RunEvent {
  readonly eventId: string;
  readonly runId: string;
  readonly epoch: number;
  readonly eventType: string;
  readonly terminal: boolean;
  readonly timestamp: Date;
  readonly data: unknown;
  readonly source: string;
}

export interface EventPage {
  readonly events: readonly RunEvent[];
  readonly total: number;
  readonly hasMore: boolean;
}

interface EventRow {
  event_id: number;
  run_id: string;
  epoch: number;
  event_type: string;
  terminal: boolean;
  timestamp: Date;
  data: unknown;
  source: string;
}

const PAGE_SQL = `SELECT event_id, run_id, epoch, event_type, terminal, timestamp, data, source FROM run_events
WHERE run_id = $1::uuid AND event_id > $2::bigint ORDER BY event_id LIMIT $3::integer OFFSET $4::integer`;

/** Events of one run, oldest first, from after `afterEventId` on. Counted only where the page does not show all. */
export async function listRunEvents(
  db: Queryable,
  runId: string,
  page: { readonly limit: number; readonly offset: number; readonly afterEventId?: string },
): Promise<EventPage> {
  const { limit, offset, afterEventId } = page;
  const { rows } = await db.query<EventRow>({
    name: 'spine_run_events_page',
    text: PAGE_SQL,
    values: [runId, afterEventId ?? 0, limit + 1, offset],
  });
  const isAll = afterEventId === undefined && offset === 0 && rows.length <= limit;
  return {
    events: rows.slice(0, limit).map((row) => ({
      eventId: String(row.event_id),
      runId: row.run_id,
      epoch: row.epoch,
      eventType: row.event_type,
      terminal: row.terminal,
      timestamp: row.timestamp,
      data: row.data,
      source: row.source,
    })),
    total: isAll ? rows.length : await countRunEvents(db, runId),
    hasMore: rows.length > limit,
  };
}

async function countRunEvents(db: Queryable, runId: string): Promise<number> {
  const { rows } = await db.query<{ count: number }>({
    name: 'spine_run_events_count',
    text: 'SELECT count(*) AS count FROM run_events WHERE run_id = $1::uuid',
    values: [runId],
  });
  return rows[0]?.count ?? 0;
}

/** An event a handler reports about its own attempt. */
export interface AttemptEvent {
  readonly runId: string;
  readonly epoch: number;
  readonly eventType: string;
  /** JSON text. */
  readonly data: string;
}

/**
 * Appends handler events, each only while its attempt still holds the run; answers per event, in order.
 * FOR SHARE orders the check against a settlement under way.
 */
export async function appendAttemptEvents(
  db: Queryable,
  events: readonly AttemptEvent[],
  source: string,
): Promise<readonly ('appended' | 'fenced')[]> {
  const { rows } = await db.query<{ ord: number }>({
    name: 'spine_attempt_events',
    text: `WITH i AS (
  SELECT * FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[]) WITH ORDINALITY
    AS t(run_id, epoch, event_type, data, ord)
), h AS (
  SELECT r.id, r.epoch FROM runs r WHERE r.id = ANY($1::uuid[]) AND r.status || '' = 'running' ORDER BY r.id FOR SHARE
), w AS (
  INSERT INTO run_events (run_id, epoch, event_type, data, source)
  SELECT i.run_id, i.epoch, i.event_type, i.data::jsonb, $5
  FROM i JOIN h ON h.id = i.run_id AND h.epoch = i.epoch ORDER BY i.ord
)
SELECT i.ord::int AS ord FROM i JOIN h ON h.id = i.run_id AND h.epoch = i.epoch`,
    values: [
      plainArray(events.map((event) => event.runId)),
      plainArray(events.map((event) => event.epoch)),
      textArray(events.map((event) => event.eventType)),
      textArray(events.map((event) => event.data)),
      source,
    ],
  });
  const appended = new Set(rows.map((row) => row.ord));
  return events.map((_, index) => (appended.has(index + 1) ? 'appended' : 'fenced'));
}

/**
 * Checks inside a transaction that an attempt still holds its run, and keeps it so until the commit. Called last: the
 * share lock makes the heartbeat of the whole worker skip this run, so it must be short.
 */
export async function attemptIsCurrent(db: Queryable, runId: string, epoch: number): Promise<boolean> {
  const { rows } = await db.query<{ ok: number }>({
    name: 'spine_attempt_current',
    text: `SELECT 1 AS ok FROM runs WHERE id = $1::uuid AND epoch = $2::bigint AND status || '' = 'running' FOR SHARE`,
    values: [runId, epoch],
  });
  return rows.length === 1;
}
