import type { ColumnType, Generated } from 'kysely';
import type { PlaygroundMode, PlaygroundStatus } from '../../playground/sessions.ts';

type Json = ColumnType<unknown, string, string>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;

interface PlaygroundSessionsTable {
  session_id: string;
  created_by: string;
  workflow_name: string;
  workflow_version: number | null;
  mode: PlaygroundMode;
  source_run_id: string | null;
  setup: ColumnType<unknown, string, never>;
  answers: Json;
  moves: Json;
  state_hash: string;
  status: PlaygroundStatus;
  step_count: Generated<number>;
  revision: Generated<number>;
  ttl_seconds: number;
  created_at: WithDefault;
  updated_at: WithDefault;
  expires_at: ColumnType<Date, Date | string, Date | string>;
}

export interface PlaygroundTables {
  playground_sessions: PlaygroundSessionsTable;
}
