import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { RunKind } from '@spine/core';

type Json = ColumnType<unknown, string, string>;
type JsonWithDefault = ColumnType<unknown, string | undefined, string>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;
type Instant = ColumnType<Date, Date | string, Date | string>;

interface EventTriggersTable {
  trigger_id: string;
  name: string;
  description: string | null;
  state: 'active' | 'paused' | 'deleted';
  source: 'webhook' | 'postgres' | 'table' | 'file' | 'redis' | 'run_event' | 'ledger';
  channel: string;
  source_config: JsonWithDefault;
  filter: string | null;
  param_mapping: JsonWithDefault;
  target_kind: RunKind;
  target_name: string;
  work: Json;
  version: Generated<number>;
  created_by: string;
  created_at: WithDefault;
  updated_at: WithDefault;
}

interface InboundEventsTable {
  event_seq: GeneratedAlways<number>;
  source: EventTriggersTable['source'];
  channel: string;
  event_id: string;
  event_type: string;
  data: Json;
  received_at: WithDefault;
  routed_at: Date | null;
}

interface TriggerDeliveriesTable {
  delivery_id: GeneratedAlways<number>;
  trigger_id: string;
  event_id: string;
  event_type: string;
  status: 'ACCEPTED' | 'FILTERED' | 'REJECTED';
  reason: string | null;
  run_id: string | null;
  received_at: Instant;
  delivered_at: WithDefault;
}

interface SourceCursorsTable {
  source: string;
  position: number;
  updated_at: WithDefault;
}

export interface TriggerTables {
  event_triggers: EventTriggersTable;
  inbound_events: InboundEventsTable;
  trigger_deliveries: TriggerDeliveriesTable;
  source_cursors: SourceCursorsTable;
}
