import type { ColumnType } from 'kysely';

type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;

interface ServiceProcessesTable {
  process_id: string;
  service: 'api' | 'scheduler';
  hostname: string;
  pid: number;
  version: string;
  started_at: WithDefault;
  last_seen_at: WithDefault;
  stopped_at: Date | null;
}

/** The processes of a deployment: migration 0027. */
export interface DeployTables {
  service_processes: ServiceProcessesTable;
}
