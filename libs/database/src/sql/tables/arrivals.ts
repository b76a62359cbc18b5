import type { ColumnType } from 'kysely';

type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;

interface LatePartitionsTable {
  domain: string;
  workflow: string;
  /** Canonical JSON. */
  partition_key: string;
  expected_at: ColumnType<Date, Date | string, never>;
  anomaly_id: string;
  detected_at: WithDefault;
  arrived_at: Date | null;
}

export interface ArrivalTables {
  late_partitions: LatePartitionsTable;
}
