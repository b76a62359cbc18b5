/**
 * Reading the events of all runs as they come.
 *
 * 1. Ids are given out before their transaction commits, so that a smaller id may become visible after a larger one:
 *    "id greater than the last seen" skips events. What is behind {@link EventHorizon} cannot grow any more.
 * 2. A transaction locks the table before it takes an id, and keeps the lock until it is over. Once those that held it
 *    when an id was the last one given out are gone, everything up to that id is there or never will be. Transaction ids
 *    would not do: an insert takes its event's id before its transaction has one.
 * 3. That holds while the sequence caches nothing in sessions, as is the default.
 */
import type { RunKind } from '@spine/core';
import { plainArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import type { RunEvent } from './events.ts';

/** Where those who follow events listen. A notification is a hurry-up: they look in any case. */
export const EVENTS_CHANNEL = 'spine_events';

/** Tells them that something was committed. */
export async function notifyEvents(db: Queryable): Promise<void> {
  await db.query({ name: 'spine_notify_events', text: `SELECT pg_notify('${EVENTS_CHANNEL}', '')` });
}

/** The last id given out so far, or 0. */
export async function lastEventId(db: Queryable): Promise<number> {
  const { rows } = await db.query<{ last: number }>({
    name: 'spine_last_event_id',
    text: 'SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS last FROM run_events_event_id_seq',
  });
  return rows[0]?.last ?? 0;
}

/** The transactions that may have written events and are not over. */
export async function eventWriters(db: Queryable): Promise<string[]> {
  const { rows } = await db.query<{ writer: string }>({
    name: 'spine_event_writers',
    text: `SELECT virtualtransaction AS writer FROM pg_locks
WHERE locktype = 'relation' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND relation = 'run_events'::regclass AND mode = 'RowExclusiveLock' AND granted`,
  });
  return rows.map(({ writer }) => writer);
}

export interface EventRow {
  event_id: number;
  run_id: string;
  epoch: number;
  event_type: string;
  terminal: boolean;
  timestamp: Date;
  data: unknown;
  source: string;
}

/** The one place where a row becomes an event. */
export function toRunEvent(row: EventRow): RunEvent {
  return {
    eventId: String(row.event_id),
    runId: row.run_id,
    epoch: row.epoch,
    eventType: row.event_type,
    terminal: row.terminal,
    timestamp: row.timestamp,
    data: row.data,
    source: row.source,
  };
}

const COLUMNS = 'event_id, run_id, epoch, event_type, terminal, timestamp, data, source';

/** Visible events with ids above `after`, up to `until`, by id. */
export async function eventsBetween(db: Queryable, after: number, until: number): Promise<RunEvent[]> {
  const { rows } = await db.query<EventRow>({
    name: 'spine_events_between',
    text: `SELECT ${COLUMNS} FROM run_events WHERE event_id > $1::bigint AND event_id <= $2::bigint ORDER BY event_id`,
    values: [after, until],
  });
  return rows.map(toRunEvent);
}

/** The same of one run, at most `limit`. */
export async function runEventsBetween(
  db: Queryable,
  runId: string,
  after: number,
  until: number,
  limit: number,
): Promise<RunEvent[]> {
  const { rows } = await db.query<EventRow>({
    name: 'spine_run_events_between',
    text: `SELECT ${COLUMNS} FROM run_events WHERE run_id = $1::uuid AND event_id > $2::bigint AND event_id <= $3::bigint
ORDER BY event_id LIMIT $4`,
    values: [runId, after, until, limit],
  });
  return rows.map(toRunEvent);
}

/** Whether a run has a history, and the id of the event that ended it. */
export interface RunHistory {
  readonly terminalEventId: number | null;
}

/** Null for a run nobody has submitted, or that was deleted. */
export async function runHistory(db: Queryable, runId: string): Promise<RunHistory | null> {
  const { rows } = await db.query<{ known: boolean; terminal: number | null }>({
    name: 'spine_run_history',
    text: `SELECT EXISTS (SELECT 1 FROM run_events WHERE run_id = $1::uuid) AS known,
  (SELECT event_id FROM run_events WHERE run_id = $1::uuid AND terminal) AS terminal`,
    values: [runId],
  });
  return rows[0]?.known === true ? { terminalEventId: rows[0].terminal } : null;
}

/** What of a run never changes. */
export interface RunFacts {
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  readonly namespace: string | null;
}

/** What never changes of runs; ids without a run are missing from the answer. */
export async function runFacts(
  db: Queryable,
  runIds: readonly string[],
): Promise<ReadonlyMap<string, RunFacts>> {
  const { rows } = await db.query<RunFacts & { id: string }>({
    name: 'spine_run_facts',
    text: 'SELECT id, kind, name, lane, namespace FROM runs WHERE id = ANY($1::uuid[])',
    values: [plainArray(runIds)],
  });
  return new Map(rows.map(({ id, ...facts }) => [id, facts]));
}
