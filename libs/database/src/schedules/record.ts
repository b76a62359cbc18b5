/** A schedule as its row has it: the one place where its columns become fields. */
import type { Insertable, Selectable, Updateable } from 'kysely';
import type { PlainDate, RunKind, RunStatus } from '@spine/core';
import type { Database } from '../sql/schema.ts';

type Row = Selectable<Database['schedules']>;

export type ScheduleState = Row['state'];
export type ScheduleType = Row['schedule_type'];
export type MisfirePolicyName = Row['misfire_policy'];
export type OverlapPolicyName = Row['overlap_policy'];

export interface StoredCalendarRule {
  readonly exchange: string;
  readonly period: 'day' | 'week' | 'month' | 'quarter' | 'year';
  readonly nth: number;
  readonly at: string;
}

export interface StoredExclusion {
  readonly from: PlainDate;
  readonly to: PlainDate;
}

/** When it fires, as stored. Fields of other types than `scheduleType` are null. */
export interface StoredTiming {
  readonly scheduleType: ScheduleType;
  readonly cronExpression: string | null;
  readonly intervalSeconds: number | null;
  readonly intervalAnchor: Date | null;
  readonly runAt: Date | null;
  readonly calendarRule: StoredCalendarRule | null;
  readonly timezone: string;
  readonly startsAt: Date | null;
  readonly endsAt: Date | null;
  readonly exclusions: readonly StoredExclusion[];
}

/** What a client says of a schedule, checked. */
export interface ScheduleDefinition extends StoredTiming {
  readonly name: string;
  readonly description: string | null;
  readonly targetKind: RunKind;
  readonly targetName: string;
  /** The spec of its runs in the JSON of the API, template values in the params. */
  readonly work: Readonly<Record<string, unknown>>;
  readonly jitterSeconds: number;
  readonly misfirePolicy: MisfirePolicyName;
  readonly misfireGraceSeconds: number;
  readonly catchUpLimit: number;
  readonly catchUpSpacingSeconds: number;
  readonly catchUpLane: string;
  readonly overlapPolicy: OverlapPolicyName;
  readonly maxInstances: number;
  /** Fires more often than once a minute. */
  readonly frequent: boolean;
}

export interface ScheduleRecord extends ScheduleDefinition {
  readonly scheduleId: string;
  readonly state: ScheduleState;
  /** Why the scheduler itself has paused it; null when it has not. */
  readonly pausedReason: string | null;
  /** The first occurrence that is not decided; null unless active. */
  readonly nextFireAt: Date | null;
  readonly lastFireAt: Date | null;
  /** Grows with every change a client makes. */
  readonly version: number;
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

export function toScheduleRecord(row: Row): ScheduleRecord {
  return {
    scheduleId: row.schedule_id,
    name: row.name,
    description: row.description,
    state: row.state,
    pausedReason: row.paused_reason,
    targetKind: row.target_kind,
    targetName: row.target_name,
    work: row.work as Readonly<Record<string, unknown>>,
    scheduleType: row.schedule_type,
    cronExpression: row.cron_expression,
    intervalSeconds: row.interval_seconds,
    intervalAnchor: row.interval_anchor,
    runAt: row.run_at,
    calendarRule: row.calendar_rule as StoredCalendarRule | null,
    timezone: row.timezone,
    startsAt: row.starts_at,
    endsAt: row.ends_at,
    exclusions: row.exclusions as readonly StoredExclusion[],
    jitterSeconds: row.jitter_seconds,
    misfirePolicy: row.misfire_policy,
    misfireGraceSeconds: row.misfire_grace_seconds,
    catchUpLimit: row.catch_up_limit,
    catchUpSpacingSeconds: row.catch_up_spacing_seconds,
    catchUpLane: row.catch_up_lane,
    overlapPolicy: row.overlap_policy,
    maxInstances: row.max_instances,
    frequent: row.frequent,
    nextFireAt: row.next_fire_at,
    lastFireAt: row.last_fire_at,
    version: row.version,
    createdBy: row.created_by,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

type DefinitionColumns = Omit<
  Insertable<Database['schedules']>,
  | 'schedule_id'
  | 'state'
  | 'next_fire_at'
  | 'last_fire_at'
  | 'paused_reason'
  | 'version'
  | 'created_by'
  | 'created_at'
  | 'updated_at'
> &
  Updateable<Database['schedules']>;

/** The columns of what a client says. */
export function definitionColumns(schedule: ScheduleDefinition): DefinitionColumns {
  return {
    name: schedule.name,
    description: schedule.description,
    target_kind: schedule.targetKind,
    target_name: schedule.targetName,
    work: JSON.stringify(schedule.work),
    schedule_type: schedule.scheduleType,
    cron_expression: schedule.cronExpression,
    interval_seconds: schedule.intervalSeconds,
    interval_anchor: schedule.intervalAnchor,
    run_at: schedule.runAt,
    calendar_rule: schedule.calendarRule === null ? null : JSON.stringify(schedule.calendarRule),
    timezone: schedule.timezone,
    starts_at: schedule.startsAt,
    ends_at: schedule.endsAt,
    exclusions: JSON.stringify(schedule.exclusions),
    jitter_seconds: schedule.jitterSeconds,
    misfire_policy: schedule.misfirePolicy,
    misfire_grace_seconds: schedule.misfireGraceSeconds,
    catch_up_limit: schedule.catchUpLimit,
    catch_up_spacing_seconds: schedule.catchUpSpacingSeconds,
    catch_up_lane: schedule.catchUpLane,
    overlap_policy: schedule.overlapPolicy,
    max_instances: schedule.maxInstances,
    frequent: schedule.frequent,
  };
}

export type ScheduleOrigin = 'schedule' | 'manual' | 'backfill';
export type ScheduleRunStatus = 'FIRED' | 'SKIPPED' | 'MISSED';

/** What became of an occurrence. */
export interface ScheduleRunRecord {
  readonly scheduleRunId: number;
  readonly scheduleId: string;
  readonly fireAt: Date;
  /** The last of the occurrences it stands for; only what was missed stands for several. */
  readonly throughAt: Date;
  readonly occurrences: number;
  readonly origin: ScheduleOrigin;
  readonly status: ScheduleRunStatus;
  readonly skipReason: string | null;
  readonly runId: string | null;
  readonly lateMs: number;
  readonly decidedBy: string;
  readonly decidedAt: Date;
  /** How the run ended; null while it has not, `purged` when it was deleted before anybody looked. */
  readonly runStatus: RunStatus | 'purged' | null;
  readonly endedAt: Date | null;
}

export function toScheduleRunRecord(row: Selectable<Database['schedule_runs']>): ScheduleRunRecord {
  return {
    scheduleRunId: row.schedule_run_id,
    scheduleId: row.schedule_id,
    fireAt: row.fire_at,
    throughAt: row.through_at,
    occurrences: row.occurrences,
    origin: row.origin,
    status: row.status,
    skipReason: row.skip_reason,
    runId: row.run_id,
    lateMs: row.late_ms,
    decidedBy: row.decided_by,
    decidedAt: row.decided_at,
    runStatus: row.run_status,
    endedAt: row.ended_at,
  };
}
