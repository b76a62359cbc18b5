import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { PayloadSlot } from '../payloads/repository.ts';
import type { BreakerState } from '../gates/breakers.ts';
import type { GateType } from '../gates/gate.ts';
import type { RunRow, StoredError } from '../runs/record.ts';
import type { ScheduleTables } from './tables/schedules.ts';
import type { AccessTables } from './tables/access.ts';
import type { DeployTables } from './tables/deploy.ts';
import type { ArrivalTables } from './tables/arrivals.ts';
import type { TriggerTables } from './tables/triggers.ts';
import type { EventBusTables } from './tables/event-bus.ts';
import type { AssetTables } from './tables/assets.ts';
import type { LedgerTables } from './tables/ledger.ts';
import type { PlaygroundTables } from './tables/playground.ts';
import type { ProgressTables } from './tables/progress.ts';
import type { WorkflowTables } from './tables/workflows.ts';

type Json = ColumnType<unknown, string, string>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;

/** Columns of `runs` that only the hot-path statements touch. */
interface RunsTable extends RunRow {
  dispatch_after: Date | null;
  dispatch_no: number;
  trace_context: string | null;
  workflow_told: boolean | null;
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

interface RunPayloadsTable {
  run_id: string;
  slot: PayloadSlot;
  content: string;
  created_at: WithDefault;
}

interface RunLogsTable {
  run_id: string;
  log_id: GeneratedAlways<number>;
  epoch: number;
  attempt: number;
  level: number;
  message: string;
  fields: Json;
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
  /** Written by a trigger. */
  namespace: ColumnType<string | null, never, never>;
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
  drain_requested_at: Date | null;
}

interface LanesTable {
  lane: string;
  paused_at: Date | null;
  paused_by: string | null;
  note: string | null;
  updated_at: WithDefault;
}

interface GateStatesTable {
  gate_type: 'concurrency' | 'rate' | 'singleton';
  key: string;
  gate_limit: number | null;
  rate: Json;
  keep_until: Date | null;
  updated_at: WithDefault;
}

interface ConcurrencyHoldsTable {
  key: string;
  run_id: string;
  epoch: number;
  claimed_at: WithDefault;
}

interface GateWaitersTable {
  run_id: string;
  gate_type: GateType;
  key: string;
  priority: number;
  since: WithDefault;
  woken_at: Date | null;
}

interface BreakersTable {
  name: string;
  state: BreakerState;
  forced: Generated<boolean>;
  open_until: Date | null;
  failures: Generated<number>;
  changed_by: string;
  note: string | null;
  probe_owner: string | null;
  probe_until: Date | null;
  updated_at: WithDefault;
}

/** The tables of the `public` schema, for Kysely. The migrations are the truth; a test compares the two. */
export interface Database
  extends
    AccessTables,
    DeployTables,
    EventBusTables,
    AssetTables,
    LedgerTables,
    PlaygroundTables,
    ScheduleTables,
    TriggerTables,
    ArrivalTables,
    ProgressTables,
    WorkflowTables {
  runs: RunsTable;
  run_events: RunEventsTable;
  run_payloads: RunPayloadsTable;
  run_logs: RunLogsTable;
  dead_letters: DeadLettersTable;
  workers: WorkersTable;
  lanes: LanesTable;
  gate_states: GateStatesTable;
  concurrency_holds: ConcurrencyHoldsTable;
  gate_waiters: GateWaitersTable;
  breakers: BreakersTable;
}
