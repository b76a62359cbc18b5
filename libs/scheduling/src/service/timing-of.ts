import { InvariantError } from '@spine/core';
import type { ScheduleRecord, StoredTiming } from '@spine/database';
import type { TickPolicy } from '../plan/plan-tick.ts';
import type { Rule, Timing } from '../timing/timing.ts';

/** When a stored schedule fires. */
export function timingOf(stored: StoredTiming): Timing {
  const { timezone, startsAt, endsAt, exclusions } = stored;
  return { rule: ruleOf(stored), timeZone: timezone, startsAt, endsAt, exclusions };
}

/** A timing in the columns of its row. */
export function storedTiming({ rule, timeZone, startsAt, endsAt, exclusions }: Timing): StoredTiming {
  return {
    scheduleType: rule.type,
    cronExpression: rule.type === 'cron' ? rule.expression : null,
    intervalSeconds: rule.type === 'interval' ? rule.seconds : null,
    intervalAnchor: rule.type === 'interval' ? rule.anchor : null,
    runAt: rule.type === 'date' ? rule.runAt : null,
    calendarRule: rule.type === 'calendar' ? rule.rule : null,
    timezone: timeZone,
    startsAt,
    endsAt,
    exclusions,
  };
}

export function policyOf(schedule: ScheduleRecord): TickPolicy {
  return {
    misfire: schedule.misfirePolicy,
    graceSeconds: schedule.misfireGraceSeconds,
    catchUpLimit: schedule.catchUpLimit,
    catchUpSpacingSeconds: schedule.catchUpSpacingSeconds,
    overlap: schedule.overlapPolicy,
    maxInstances: schedule.maxInstances,
  };
}

function ruleOf(stored: StoredTiming): Rule {
  const { scheduleType, cronExpression, intervalSeconds, intervalAnchor, runAt, calendarRule } = stored;
  if (scheduleType === 'cron' && cronExpression !== null) return { type: 'cron', expression: cronExpression };
  if (scheduleType === 'interval' && intervalSeconds !== null && intervalAnchor !== null)
    return { type: 'interval', seconds: intervalSeconds, anchor: intervalAnchor };
  if (scheduleType === 'date' && runAt !== null) return { type: 'date', runAt };
  if (scheduleType === 'calendar' && calendarRule !== null) return { type: 'calendar', rule: calendarRule };
  throw new InvariantError(`a schedule of type ${scheduleType} has not the field of its type`);
}
