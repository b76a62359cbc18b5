/** The spec of an occurrence's run, from the spec its schedule holds. */
import { InvariantError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import type { ScheduleOrigin, ScheduleRecord } from '@spine/database';
import { workSpecFromJson, workSpecJson } from '@spine/execution';
import type { WorkSpec } from '@spine/execution';
import { fillTemplate } from '../params/template.ts';
import { jitterMs } from '../timing/jitter.ts';

export interface OccurrenceWork {
  readonly fireAt: Date;
  readonly previousFireAt: Date | null;
  readonly origin: ScheduleOrigin;
  /** Goes to the schedule's lane for what is made up for. */
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
export function workOf(schedule: ScheduleRecord, occurrence: OccurrenceWork): WorkSpec {
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
    ...(late ? { lane: schedule.catchUpLane } : {}),
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

/** The spec a schedule holds, template values in its params. @throws InvariantError when it is none. */
export function storedSpec({ scheduleId, work }: ScheduleRecord): WorkSpec {
  const parsed = workSpecJson.safeParse(work);
  if (parsed.success) return workSpecFromJson(parsed.data);
  const [issue] = parsed.error.issues;
  throw new InvariantError(
    `schedule ${scheduleId} holds a spec that is none: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`,
  );
}

/** Null for at once. */
function startOf({ scheduleId, jitterSeconds }: ScheduleRecord, occurrence: OccurrenceWork): Date | null {
  const { fireAt, delayMs, late, now } = occurrence;
  const from = late ? now : fireAt;
  const at = from.getTime() + delayMs + (late ? 0 : jitterMs(scheduleId, fireAt, jitterSeconds));
  return at > now.getTime() ? new Date(at) : null;
}
