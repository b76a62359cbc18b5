import type { AnomalyCategory, QualityCategory, QualityStatus, RepairOutcome, Severity } from '@spine/core';
import type { ColumnType, GeneratedAlways } from 'kysely';

type Json = ColumnType<unknown, string, string>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;
/** Set by the database, never by a statement of the services. */
type SetByTrigger<T> = ColumnType<T, never, never>;

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
  rule_version: string | null;
  source_hash: string | null;
  closed_at: SetByTrigger<Date | null>;
}

interface RejectRepairsTable {
  reject_id: number;
  run_id: string;
  outcome: RepairOutcome;
  rule_version: string;
  reason_code: string | null;
  reason_detail: string | null;
  created_at: WithDefault;
}

interface QualityResultsTable {
  id: string;
  domain: string;
  partition_key: string;
  stage: string | null;
  check_name: string;
  category: QualityCategory;
  status: QualityStatus;
  message: string;
  actual_value: string | null;
  expected_value: string | null;
  run_id: string;
  batch_id: string | null;
  created_at: WithDefault;
}

interface AnomaliesTable {
  id: string;
  domain: string;
  stage: string | null;
  partition_key: string | null;
  severity: Severity;
  category: AnomalyCategory;
  message: string;
  metadata: Json;
  run_id: string | null;
  batch_id: string | null;
  created_at: WithDefault;
  resolved_at: ColumnType<Date | null, never, Date>;
  resolved_by: string | null;
  resolution_note: string | null;
}

/** Where partitions stand, what was refused, what was found out about the data, and what went wrong. */
export interface LedgerTables {
  manifest: ManifestTable;
  rejects: RejectsTable;
  reject_repairs: RejectRepairsTable;
  quality_results: QualityResultsTable;
  anomalies: AnomaliesTable;
}
