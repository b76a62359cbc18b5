/** Tables of migration 0010: how far the ledger is, and what it plans. */
import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type {
  BackfillPartitionStatus,
  BackfillReason,
  BackfillRunKind,
  BackfillStatus,
  Cadence,
  DependencyType,
  WatermarkKind,
  WorkItemState,
} from '@spine/core';

type Json = ColumnType<unknown, string, string>;
type JsonWithDefault = ColumnType<unknown, string | undefined, string>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;

interface WatermarksTable {
  domain: string;
  source: string;
  /** Canonical JSON, as in every table of the ledger. */
  partition_key: string;
  kind: WatermarkKind;
  high_water: string;
  metadata: JsonWithDefault;
  run_id: string | null;
  batch_id: string | null;
  created_at: WithDefault;
  updated_at: WithDefault;
}

interface BackfillsTable {
  id: string;
  domain: string;
  source: string;
  reason: BackfillReason;
  status: Generated<BackfillStatus>;
  run_kind: BackfillRunKind;
  run_name: string;
  params: Json;
  lane: string;
  priority: number;
  concurrency: number;
  max_attempts: number;
  max_retries: number | null;
  timeout_ms: number | null;
  total: number;
  completed: Generated<number>;
  failed: Generated<number>;
  checkpoint: ColumnType<unknown, string | null | undefined, string | null>;
  note: string | null;
  created_by: string;
  created_at: WithDefault;
  started_at: Date | null;
  completed_at: Date | null;
  updated_at: WithDefault;
}

interface BackfillPartitionsTable {
  backfill_id: string;
  ordinal: number;
  partition_key: string;
  status: Generated<BackfillPartitionStatus>;
  attempts: Generated<number>;
  failures: Generated<number>;
  run_id: string | null;
  error: ColumnType<unknown, string | null | undefined, string | null>;
  updated_at: WithDefault;
}

interface WorkItemsTable {
  id: string;
  domain: string;
  workflow: string;
  partition_key: string;
  params: JsonWithDefault;
  desired_at: WithDefault;
  priority: Generated<number>;
  state: Generated<WorkItemState>;
  attempt_count: Generated<number>;
  max_attempts: Generated<number>;
  last_error: string | null;
  last_error_at: Date | null;
  next_attempt_at: Date | null;
  latest_run_id: string | null;
  locked_by: string | null;
  locked_at: Date | null;
  locked_until: Date | null;
  completed_at: Date | null;
  created_at: WithDefault;
  updated_at: WithDefault;
  due_at: GeneratedAlways<Date | null>;
}

interface ExpectedSchedulesTable {
  domain: string;
  workflow: string;
  cadence: Cadence;
  partition_template: Json;
  required_stages: string[];
  expected_delay_hours: number;
  preliminary_hours: Generated<number>;
  active: Generated<boolean>;
  description: string | null;
  created_at: WithDefault;
  updated_at: WithDefault;
}

interface CalcDependenciesTable {
  calc_domain: string;
  calc_operation: string;
  calc_stage: string;
  depends_on_domain: string;
  depends_on_operation: string;
  depends_on_stage: string;
  partition_fields: string[] | null;
  dependency_type: DependencyType;
  description: string | null;
  created_at: WithDefault;
}

interface DataReadinessTable {
  domain: string;
  partition_key: string;
  ready_for: string;
  workflow: string;
  is_ready: boolean;
  all_partitions_present: boolean;
  all_stages_complete: boolean;
  no_critical_anomalies: boolean;
  dependencies_current: boolean;
  age_exceeds_preliminary: boolean;
  blocking_reasons: Json;
  notes: JsonWithDefault;
  certified_by: string;
  run_id: string | null;
  evaluated_at: WithDefault;
  certified_at: Date | null;
  revoked_at: Date | null;
}

export interface ProgressTables {
  watermarks: WatermarksTable;
  backfills: BackfillsTable;
  backfill_partitions: BackfillPartitionsTable;
  work_items: WorkItemsTable;
  expected_schedules: ExpectedSchedulesTable;
  calc_dependencies: CalcDependenciesTable;
  data_readiness: DataReadinessTable;
}
