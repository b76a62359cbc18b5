/** Triggers, events and deliveries as their rows have them: the one place where columns become fields. */
import type { Selectable } from 'kysely';
import type { RunKind } from '@spine/core';
import type { Database } from '../sql/schema.ts';

type TriggerRow = Selectable<Database['event_triggers']>;

export type EventSource = TriggerRow['source'];
export type TriggerState = TriggerRow['state'];

/** What a client says of a trigger, checked. */
export interface TriggerDefinition {
  readonly name: string;
  readonly description: string | null;
  readonly source: EventSource;
  /** Where of the source its events come from. */
  readonly channel: string;
  readonly sourceConfig: Readonly<Record<string, unknown>>;
  /** A condition over `event`; null for every event. */
  readonly filter: string | null;
  /** Params of the run by paths into the event. */
  readonly paramMapping: Readonly<Record<string, string>>;
  readonly targetKind: RunKind;
  readonly targetName: string;
  /** The spec of its runs in the JSON of the API. */
  readonly work: Readonly<Record<string, unknown>>;
}

export interface TriggerRecord extends TriggerDefinition {
  readonly triggerId: string;
  readonly state: TriggerState;
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export function toTriggerRecord(row: TriggerRow): TriggerRecord {
  return {
    triggerId: row.trigger_id,
    name: row.name,
    description: row.description,
    state: row.state,
    source: row.source,
    channel: row.channel,
    sourceConfig: row.source_config as Readonly<Record<string, unknown>>,
    filter: row.filter,
    paramMapping: row.param_mapping as Readonly<Record<string, string>>,
    targetKind: row.target_kind,
    targetName: row.target_name,
    work: row.work as Readonly<Record<string, unknown>>,
    version: row.version,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Something that has happened. */
export interface InboundEvent {
  readonly seq: number;
  readonly source: EventSource;
  readonly channel: string;
  /** Unique in its channel. */
  readonly eventId: string;
  readonly eventType: string;
  readonly data: unknown;
  readonly receivedAt: Date;
}

export function toInboundEvent(row: Selectable<Database['inbound_events']>): InboundEvent {
  return {
    seq: row.event_seq,
    source: row.source,
    channel: row.channel,
    eventId: row.event_id,
    eventType: row.event_type,
    data: row.data,
    receivedAt: row.received_at,
  };
}

export type DeliveryStatus = 'ACCEPTED' | 'FILTERED' | 'REJECTED';

/** What a trigger made of an event. */
export interface DeliveryRecord {
  readonly deliveryId: number;
  readonly triggerId: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly status: DeliveryStatus;
  readonly reason: string | null;
  readonly runId: string | null;
  readonly receivedAt: Date;
  readonly deliveredAt: Date;
}

export function toDeliveryRecord(row: Selectable<Database['trigger_deliveries']>): DeliveryRecord {
  return {
    deliveryId: row.delivery_id,
    triggerId: row.trigger_id,
    eventId: row.event_id,
    eventType: row.event_type,
    status: row.status,
    reason: row.reason,
    runId: row.run_id,
    receivedAt: row.received_at,
    deliveredAt: row.delivered_at,
  };
}
