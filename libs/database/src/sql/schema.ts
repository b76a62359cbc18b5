import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { RunRow, StoredError } from '../runs/record.ts';

type Json = ColumnType<unknown, string, string>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;

/** Columns of `runs` that only the hot-path statements touch. */
interface RunsTable extends RunRow {
  dispatch_after: Date | null;
  dispatch_no: number;
}

interface RunEventsTable {
  event_id: GeneratedAlways<number>;
  run_id: string;
  epoch: number;
  event_type: string;
  terminal: Generated<boolean>;
  data: Json;
  source: string;
  timestamp: WithDefault;
}

interface DeadLettersTable {
  id: Generated<string>;
  run_id: string;
  kind: RunRow['kind'];
  name: string;
  lane: string;
  params: Json;
  error: ColumnType<StoredError, string, string>;
  error_category: string;
  attempts: number;
  crash_count: number;
  correlation_id: string | null;
  created_at: WithDefault;
  resolved_at: Date | null;
  resolution: 'replayed' | 'resolved' | null;
  resolved_by: string | null;
  note: string | null;
  replay_run_id: string | null;
}

interface WorkersTable {
  id: string;
  hostname: string;
  pid: number;
  version: string;
  lanes: string[];
  handlers: string[];
  slots: number;
  running: Generated<number>;
  status: Generated<'active' | 'draining' | 'stopped'>;
  started_at: WithDefault;
  last_seen_at: WithDefault;
}

interface ManifestTable {
  domain: string;
  /** Canonical JSON. */
  partition_key: string;
  stage: string;
  stage_rank: number;
  row_count: number | null;
  metrics: Json;
  run_id: string;
  batch_id: string | null;
  updated_at: WithDefault;
}

interface RejectsTable {
  reject_id: GeneratedAlways<number>;
  domain: string;
  partition_key: string;
  stage: string;
  reason_code: string;
  reason_detail: string;
  raw: string;
  source_locator: string;
  line_number: number | null;
  record_hash: string;
  run_id: string;
  batch_id: string | null;
  created_at: WithDefault;
}

/** The tables of the `public` schema, for Kysely. The migrations are the truth; a test compares the two. */
export interface Database {
  runs: RunsTable;
  run_events: RunEventsTable;
  dead_letters: DeadLettersTable;
  workers: WorkersTable;
  manifest: ManifestTable;
  rejects: RejectsTable;
}
