/**
 * Events between processes over LISTEN/NOTIFY.
 *
 * 1. A notification is delivered when its transaction commits, to those who listen at that moment: at most once. 2. What
 * is too large for a notification is a row, written in the same transaction: whoever gets the notification can read it.
 * 3. Rows are deleted ten minutes later, by the next large event. Only a listener that is further behind than that misses
 * one, and is told so.
 */
import type { Queryable } from '../sql/pool.ts';

export const EVENT_BUS_CHANNEL = 'spine_event_bus';

/** Postgres refuses notifications of 8,000 bytes and more. */
export const MOST_NOTIFICATION_BYTES = 7_900;

/** Begins what names a row; no event's text begins like this. */
const ROW_MARK = 'row:';

const KEPT = '10 minutes';
/** Deleted with one event. */
const SWEPT_AT_ONCE = 100;

/** Sends text to everybody who listens. */
export async function notifyEventBus(db: Queryable, eventId: string, text: string): Promise<void> {
  if (Buffer.byteLength(text) <= MOST_NOTIFICATION_BYTES) {
    await db.query({
      name: 'spine_event_bus_notify',
      text: `SELECT pg_notify('${EVENT_BUS_CHANNEL}', $1::text)`,
      values: [text],
    });
    return;
  }
  await sweepEventBus(db);
  await db.query({
    name: 'spine_event_bus_spill',
    text: `WITH spilled AS (INSERT INTO event_bus_payloads (event_id, content) VALUES ($1::uuid, $2::text) RETURNING event_id)
SELECT pg_notify('${EVENT_BUS_CHANNEL}', '${ROW_MARK}' || event_id) FROM spilled`,
    values: [eventId, text],
  });
}

/** Deletes rows that everybody has read. */
export async function sweepEventBus(db: Queryable): Promise<void> {
  await db.query({
    name: 'spine_event_bus_sweep',
    text: `DELETE FROM event_bus_payloads WHERE event_id IN (
  SELECT event_id FROM event_bus_payloads WHERE created_at < now() - interval '${KEPT}'
  ORDER BY created_at LIMIT ${SWEPT_AT_ONCE} FOR UPDATE SKIP LOCKED)`,
  });
}

/** The text of a notification, read from its row where it names one; null when that is gone. */
export async function readEventBusText(db: Queryable, payload: string): Promise<string | null> {
  if (!payload.startsWith(ROW_MARK)) return payload;
  const { rows } = await db.query<{ content: string }>({
    name: 'spine_event_bus_read',
    text: 'SELECT content FROM event_bus_payloads WHERE event_id = $1::uuid',
    values: [payload.slice(ROW_MARK.length)],
  });
  return rows[0]?.content ?? null;
}
