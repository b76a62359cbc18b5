/** From what a tick has decided about a schedule to the rows it stores: of history, and of the runs that start. */
import { assertNever } from '@spine/core';
import type { NewRun, NewScheduleRun, ScheduleRecord } from '@spine/database';
import type { Dispatcher } from '@spine/execution';
import type { Decision, TickPlan } from '../plan/plan-tick.ts';
import { workOf } from './work.ts';

/** A decision, and the run it starts; null for none. */
export interface Entry {
  readonly decision: NewScheduleRun;
  readonly run: NewRun | null;
}

/** The rows of a plan's decisions, in order. */
export async function entriesOf(
  schedule: ScheduleRecord,
  plan: TickPlan,
  now: Date,
  dispatcher: Dispatcher,
): Promise<Entry[]> {
  const entries: Entry[] = [];
  let previousFireAt = schedule.lastFireAt;
  for (const decision of plan.decisions) {
    entries.push(await entryOf(schedule, decision, previousFireAt, now, dispatcher));
    previousFireAt = decision.type === 'missed' ? decision.throughAt : decision.fireAt;
  }
  return entries;
}

async function entryOf(
  schedule: ScheduleRecord,
  decision: Decision,
  previousFireAt: Date | null,
  now: Date,
  dispatcher: Dispatcher,
): Promise<Entry> {
  const { fireAt } = decision;
  const base = {
    scheduleId: schedule.scheduleId,
    fireAt,
    throughAt: fireAt,
    occurrences: 1,
    origin: 'schedule' as const,
    skipReason: null,
    runId: null,
    lateMs: Math.max(now.getTime() - fireAt.getTime(), 0),
  };
  switch (decision.type) {
    case 'missed': {
      const { throughAt, occurrences } = decision;
      return { decision: { ...base, status: 'MISSED', throughAt, occurrences }, run: null };
    }
    case 'skip':
      return { decision: { ...base, status: 'SKIPPED', skipReason: decision.reason }, run: null };
    case 'fire': {
      const spec = workOf(schedule, { ...decision, previousFireAt, origin: 'schedule', now });
      const prepared = await dispatcher.prepare(spec, { allowUnknown: 'unasked' });
      if (prepared.type === 'prepared')
        return { decision: { ...base, status: 'FIRED', runId: prepared.run.runId }, run: prepared.run };
      // Params that the template has filled with what the handler refuses: said where people look for the run.
      const reason = prepared.type === 'invalid' ? invalidReason(prepared.issues) : prepared.type;
      return { decision: { ...base, status: 'SKIPPED', skipReason: reason }, run: null };
    }
    default:
      return assertNever(decision);
  }
}

const MAX_REASON = 500;

function invalidReason(issues: readonly { readonly field: string; readonly message: string }[]): string {
  const text = issues.map(({ field, message }) => `${field}: ${message}`).join('; ');
  return `invalid ${text}`.slice(0, MAX_REASON);
}
