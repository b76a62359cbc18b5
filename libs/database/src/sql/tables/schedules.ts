import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { RunKind, RunStatus } from '@spine/core';

type Json = ColumnType<unknown, string, string>;
type WithDefault = ColumnType<Date, Date | string | undefined, Date | string>;
type Instant = ColumnType<Date, Date | string, Date | string>;

interface SchedulesTable {
  schedule_id: string;
  name: string;
  description: string | null;
  state: 'active' | 'paused' | 'completed' | 'deleted';
  target_kind: RunKind;
  target_name: string;
  work: Json;
  schedule_type: 'cron' | 'interval' | 'date' | 'calendar';
  cron_expression: string | null;
  interval_seconds: number | null;
  interval_anchor: Date | null;
  run_at: Date | null;
  calendar_rule: ColumnType<unknown, string | null, string | null>;
  timezone: string;
  starts_at: Date | null;
  ends_at: Date | null;
  exclusions: ColumnType<unknown, string | undefined, string>;
  jitter_seconds: Generated<number>;
  misfire_policy: 'skip' | 'fire_once' | 'catch_up';
  misfire_grace_seconds: number;
  catch_up_limit: number;
  catch_up_spacing_seconds: number;
  catch_up_lane: string;
  overlap_policy: 'allow' | 'skip' | 'queue' | 'cancel_existing';
  max_instances: number;
  frequent: boolean;
  paused_reason: string | null;
  next_fire_at: Date | null;
  last_fire_at: Date | null;
  version: Generated<number>;
  created_by: string;
  created_at: WithDefault;
  updated_at: WithDefault;
}

interface ScheduleRunsTable {
  schedule_run_id: GeneratedAlways<number>;
  schedule_id: string;
  fire_at: Instant;
  through_at: Instant;
  occurrences: Generated<number>;
  origin: 'schedule' | 'manual' | 'backfill';
  status: 'FIRED' | 'SKIPPED' | 'MISSED';
  skip_reason: string | null;
  run_id: string | null;
  late_ms: number;
  decided_by: string;
  decided_at: WithDefault;
  run_status: RunStatus | 'purged' | null;
  ended_at: Date | null;
}

interface LocksTable {
  lock_key: string;
  owner: string;
  token: number;
  acquired_at: WithDefault;
  renewed_at: WithDefault;
  expires_at: Instant;
  note: string | null;
}

export interface ScheduleTables {
  schedules: SchedulesTable;
  schedule_runs: ScheduleRunsTable;
  locks: LocksTable;
}
