/**
 * What has happened, until every trigger was asked.
 *
 * 1. An event is stored once, by its id in its channel, whoever brings it how often.
 * 2. It is routed once: in the transaction that stores what its triggers made of it.
 * 3. A delivery is stored once for trigger and event, whichever transaction comes first.
 */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';
import { toDeliveryRecord, toInboundEvent, toTriggerRecord } from './record.ts';
import type { DeliveryRecord, DeliveryStatus, EventSource, InboundEvent, TriggerRecord } from './record.ts';

/** Those who route events listen here. A notification is a hurry-up: they look in any case. */
export const INBOUND_CHANNEL = 'spine_inbound';

export interface NewInboundEvent {
  readonly source: EventSource;
  readonly channel: string;
  /** 1 to 200 characters. */
  readonly eventId: string;
  readonly eventType: string;
  /** JSON text. */
  readonly data: string;
}

/** Stores events that are not there yet; answers how many were new. */
export async function appendInboundEvents(
  on: Queryable,
  events: readonly NewInboundEvent[],
): Promise<number> {
  if (events.length === 0) return 0;
  const { rows } = await on.query<{ event_seq: number }>({
    name: 'spine_append_inbound',
    text: `WITH i AS (
  INSERT INTO inbound_events (source, channel, event_id, event_type, data)
  SELECT source, channel, event_id, event_type, data::jsonb
  FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) AS t(source, channel, event_id, event_type, data)
  ON CONFLICT (source, channel, event_id) DO NOTHING RETURNING event_seq
)
SELECT event_seq FROM i`,
    values: [
      textArray(events.map(({ source }) => source)),
      textArray(events.map(({ channel }) => channel)),
      textArray(events.map(({ eventId }) => eventId)),
      textArray(events.map(({ eventType }) => eventType)),
      textArray(events.map(({ data }) => data)),
    ],
  });
  if (rows.length > 0) await on.query({ text: `SELECT pg_notify('${INBOUND_CHANNEL}', '')`, values: [] });
  return rows.length;
}

export const OPEN_SQL = `SELECT * FROM inbound_events WHERE routed_at IS NULL ORDER BY event_seq LIMIT $1 FOR UPDATE SKIP LOCKED`;

/** Locks events that are not routed, oldest first. */
export async function takeInboundEvents(on: Queryable, limit: number): Promise<readonly InboundEvent[]> {
  const { rows } = await on.query<Parameters<typeof toInboundEvent>[0]>({
    name: 'spine_open_inbound',
    text: OPEN_SQL,
    values: [limit],
  });
  return rows.map(toInboundEvent);
}

/** Locks one event, waiting for whoever routes it; null when it is routed. */
export async function takeInboundEvent(
  on: Queryable,
  { source, channel, eventId }: Pick<InboundEvent, 'source' | 'channel' | 'eventId'>,
): Promise<InboundEvent | null> {
  const { rows } = await on.query<Parameters<typeof toInboundEvent>[0]>({
    text: `SELECT * FROM inbound_events WHERE source = $1 AND channel = $2 AND event_id = $3 AND routed_at IS NULL FOR UPDATE`,
    values: [source, channel, eventId],
  });
  const [row] = rows;
  return row === undefined ? null : toInboundEvent(row);
}

/** The active triggers of these events' channels, by name. */
export async function triggersOf(
  on: Queryable,
  events: readonly Pick<InboundEvent, 'source' | 'channel'>[],
): Promise<readonly TriggerRecord[]> {
  const { rows } = await on.query<Parameters<typeof toTriggerRecord>[0]>({
    text: `SELECT t.* FROM event_triggers t
WHERE t.state = 'active' AND (t.source, t.channel) IN (SELECT * FROM unnest($1::text[], $2::text[])) ORDER BY t.name`,
    values: [textArray(events.map(({ source }) => source)), textArray(events.map(({ channel }) => channel))],
  });
  return rows.map(toTriggerRecord);
}

export interface NewDelivery {
  readonly triggerId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly status: DeliveryStatus;
  readonly reason: string | null;
  readonly runId: string | null;
  readonly receivedAt: Date;
}

/** Stores deliveries; answers which are new, by their place. */
export async function recordDeliveries(
  on: Queryable,
  deliveries: readonly NewDelivery[],
): Promise<ReadonlySet<number>> {
  if (deliveries.length === 0) return new Set();
  const { rows } = await on.query<{ place: number }>({
    name: 'spine_record_deliveries',
    text: `WITH i AS (
  SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::uuid[], $7::timestamptz[]) WITH ORDINALITY
    AS t(trigger_id, event_id, event_type, status, reason, run_id, received_at, place)
), d AS (
  INSERT INTO trigger_deliveries (trigger_id, event_id, event_type, status, reason, run_id, received_at)
  SELECT trigger_id, event_id, event_type, status, reason, run_id, received_at FROM i
  ON CONFLICT (trigger_id, event_id) DO NOTHING RETURNING trigger_id, event_id
)
SELECT i.place::integer FROM i JOIN d USING (trigger_id, event_id)`,
    values: [
      plainArray(deliveries.map(({ triggerId }) => triggerId)),
      textArray(deliveries.map(({ eventId }) => eventId)),
      textArray(deliveries.map(({ eventType }) => eventType)),
      plainArray(deliveries.map(({ status }) => status)),
      textArray(deliveries.map(({ reason }) => reason)),
      plainArray(deliveries.map(({ runId }) => runId)),
      plainArray(deliveries.map(({ receivedAt }) => receivedAt.toISOString())),
    ],
  });
  return new Set(rows.map(({ place }) => place - 1));
}

/** They were routed: every trigger has been asked. */
export async function markRouted(on: Queryable, seqs: readonly number[]): Promise<void> {
  if (seqs.length === 0) return;
  await on.query({
    name: 'spine_mark_routed',
    text: 'UPDATE inbound_events SET routed_at = now() WHERE event_seq = ANY($1::bigint[])',
    values: [plainArray(seqs)],
  });
}

/** What a trigger made of an event before; null when nothing. */
export async function deliveryOf(
  on: Queryable,
  triggerId: string,
  eventId: string,
): Promise<DeliveryRecord | null> {
  const { rows } = await on.query<Parameters<typeof toDeliveryRecord>[0]>({
    text: 'SELECT * FROM trigger_deliveries WHERE trigger_id = $1 AND event_id = $2',
    values: [triggerId, eventId],
  });
  const [row] = rows;
  return row === undefined ? null : toDeliveryRecord(row);
}

/** Deletes events that were routed over so many days ago, at most a thousand; the deliveries stay. */
export async function deleteRoutedEvents(on: Queryable, olderThanDays: number): Promise<number> {
  const { rows } = await on.query({
    text: `DELETE FROM inbound_events WHERE event_seq IN (
  SELECT event_seq FROM inbound_events WHERE routed_at < now() - $1::integer * interval '1 day' ORDER BY routed_at LIMIT 1000)
RETURNING event_seq`,
    values: [olderThanDays],
  });
  return rows.length;
}

/** How far a source was read; null before the first time. */
export async function readCursor(on: Queryable, source: string): Promise<number | null> {
  const { rows } = await on.query<{ position: number }>({
    text: 'SELECT position FROM source_cursors WHERE source = $1',
    values: [source],
  });
  return rows[0]?.position ?? null;
}

/** Moves a source's cursor from where it was read; false when another has moved it. */
export async function moveCursor(
  on: Queryable,
  source: string,
  from: number | null,
  to: number,
): Promise<boolean> {
  const { rows } = await on.query({
    text:
      from === null
        ? 'INSERT INTO source_cursors (source, position) VALUES ($1, $2) ON CONFLICT DO NOTHING RETURNING source'
        : 'UPDATE source_cursors SET position = $2, updated_at = now() WHERE source = $1 AND position = $3 RETURNING source',
    values: from === null ? [source, to] : [source, to, from],
  });
  return rows.length > 0;
}
