import type { ColumnType, Generated, GeneratedAlways } from 'kysely';

type Json = ColumnType<unknown, string, string>;
type JsonOrNull = ColumnType<unknown, string | null | undefined, string | null>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;

interface WorkflowDefinitionsTable {
  name: string;
  version: number;
  hash: string;
  definition: Json;
  changelog: string | null;
  created_by: string;
  created_at: WithDefault;
}

interface WorkflowsTable {
  name: string;
  current_version: number;
  source: 'code' | 'api';
  revision: Generated<number>;
  created_by: string;
  created_at: WithDefault;
  updated_by: string;
  updated_at: WithDefault;
  archived_at: Date | null;
}

interface WorkflowPublicationsTable {
  publication_id: GeneratedAlways<number>;
  name: string;
  action: 'published' | 'rolled_back' | 'archived';
  version: number;
  previous_version: number | null;
  source: 'code' | 'api';
  published_by: string;
  reason: string | null;
  published_at: WithDefault;
}

interface WorkflowRunsTable {
  run_id: string;
  name: string;
  version: number;
  epoch: number;
  status: Generated<'active' | 'suspended' | 'ended'>;
  head: JsonOrNull;
  seq: Generated<number>;
  created_at: WithDefault;
  ended_at: Date | null;
  partition_key: string | null;
}

interface WorkflowStateTable {
  run_id: string;
  part: 'step' | 'item';
  key: string;
  value: Json;
}

interface WorkflowInboxTable {
  event_seq: GeneratedAlways<number>;
  workflow_run_id: string;
  ended_run_id: string | null;
  event: JsonOrNull;
  timer: string | null;
  due_at: WithDefault;
}

interface WorkflowStepsTable {
  workflow_run_id: string;
  unit: string;
  attempt: number;
  run_id: string;
  kind: 'step' | 'item' | 'child' | 'detached';
  created_at: WithDefault;
}

interface WorkflowStartsTable {
  run_id: string;
  inherited: Json;
}

interface WorkflowHistoryTable {
  run_id: string;
  event_no: number;
  event: Json;
  timestamp: ColumnType<Date, Date | string, never>;
}

interface WorkflowApprovalsTable {
  workflow_run_id: string;
  step: string;
  attempt: number;
  approvers: string[];
  message: string;
  fields: Json;
  asked_at: WithDefault;
  expires_at: ColumnType<Date, Date | string, never>;
  decided_at: Date | null;
  approved: boolean | null;
  decided_by: string | null;
  decided_via: string | null;
  comment: string | null;
  withdrawn_at: Date | null;
}

export interface WorkflowTables {
  workflow_definitions: WorkflowDefinitionsTable;
  workflows: WorkflowsTable;
  workflow_publications: WorkflowPublicationsTable;
  workflow_runs: WorkflowRunsTable;
  workflow_state: WorkflowStateTable;
  workflow_inbox: WorkflowInboxTable;
  workflow_steps: WorkflowStepsTable;
  workflow_starts: WorkflowStartsTable;
  workflow_history: WorkflowHistoryTable;
  workflow_approvals: WorkflowApprovalsTable;
}
