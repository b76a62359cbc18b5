/** The spec of an occurrence's run, from the spec its schedule holds. */
import { InvariantError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import type { ScheduleDefinition, ScheduleOrigin, ScheduleRecord } from '@spine/database';
import { workSpecFromJson, workSpecJson } from '@spine/execution';
import type { WorkSpec } from '@spine/execution';
import { fillTemplate } from '../params/template.ts';
import { isGated } from '../plan/plan-tick.ts';
import { jitterMs } from '../timing/jitter.ts';
import type { Defined } from './define.ts';

/** What of a schedule its runs are made from. */
export type DefinedSchedule = ScheduleDefinition & Pick<ScheduleRecord, 'scheduleId'>;

const NIL_ID = '00000000-0000-0000-0000-000000000000';

export interface OccurrenceWork {
  readonly fireAt: Date;
  readonly previousFireAt: Date | null;
  readonly origin: ScheduleOrigin;
  /** Made up for: without jitter, and in the schedule's lane for that where it catches up or is backfilled. */
  readonly late: boolean;
  /** Added to the jitter. */
  readonly delayMs: number;
  /** Waits until fewer than `max_instances` runs of the schedule are active. */
  readonly queued: boolean;
  /** What the delay is counted from: the database's time. */
  readonly now: Date;
}

/** The key under which the runs of a schedule wait for each other. */
export function scheduleGate(scheduleId: string): string {
  return `schedule:${scheduleId}`;
}

/** @throws InvariantError when the stored spec is none. */
export function workOf(schedule: DefinedSchedule, occurrence: OccurrenceWork): WorkSpec {
  const spec = storedSpec(schedule);
  const { scheduleId, name, timezone } = schedule;
  const { fireAt, previousFireAt, origin, late, queued } = occurrence;
  const params = fillTemplate((spec.params ?? {}) as JsonObject, {
    scheduleId,
    scheduleName: name,
    fireAt,
    previousFireAt,
    timeZone: timezone,
  });
  const runAfter = startOf(schedule, occurrence);
  const catchesUp = origin === 'backfill' || (late && schedule.misfirePolicy === 'catch_up');
  return {
    ...spec,
    params,
    triggerSource: 'schedule',
    correlationId: spec.correlationId ?? `schedule:${scheduleId}:${fireAt.toISOString()}`,
    metadata: {
      ...spec.metadata,
      schedule_id: scheduleId,
      schedule_name: name,
      fire_at: fireAt.toISOString(),
      schedule_origin: origin,
    },
    ...(catchesUp ? { lane: schedule.catchUpLane } : {}),
    ...(runAfter === null ? {} : { runAfter }),
    ...(queued
      ? {
          concurrency: [
            ...(spec.concurrency ?? []),
            { key: scheduleGate(scheduleId), limit: schedule.maxInstances },
          ],
        }
      : {}),
  };
}

/** The spec of a first run of a schedule that is not stored yet, with all that any of its runs may have. */
export function trialWork({ definition, nextFireAt }: Defined, now: Date): WorkSpec {
  const schedule = { ...definition, scheduleId: NIL_ID };
  // The time before is filled in as it will be from the second run on.
  return workOf(schedule, {
    fireAt: nextFireAt,
    previousFireAt: now,
    origin: 'schedule',
    late: false,
    delayMs: 0,
    queued: isGated({ overlap: definition.overlapPolicy, misfire: definition.misfirePolicy }),
    now,
  });
}

/** The spec a schedule holds, template values in its params. @throws InvariantError when it is none. */
export function storedSpec({ scheduleId, work }: DefinedSchedule): WorkSpec {
  const parsed = workSpecJson.safeParse(work);
  if (parsed.success) return workSpecFromJson(parsed.data);
  const [issue] = parsed.error.issues;
  throw new InvariantError(
    `schedule ${scheduleId} holds a spec that is none: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  );
}

/** Null for at once. */
function startOf({ scheduleId, jitterSeconds }: DefinedSchedule, occurrence: OccurrenceWork): Date | null {
  const { fireAt, delayMs, late, now } = occurrence;
  const from = late ? now : fireAt;
  const at = from.getTime() + delayMs + (late ? 0 : jitterMs(scheduleId, fireAt, jitterSeconds));
  return at > now.getTime() ? new Date(at) : null;
}
