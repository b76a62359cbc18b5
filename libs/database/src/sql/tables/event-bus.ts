import type { ColumnType } from 'kysely';

interface EventBusPayloadsTable {
  event_id: string;
  content: string;
  created_at: ColumnType<Date, Date | string | undefined, Date | string>;
}

export interface EventBusTables {
  event_bus_payloads: EventBusPayloadsTable;
}
