/** Whether work lies around that nobody takes up. */
import type { LaneState, LeftHolds, OverdueWorkflows } from '@spine/database';
import { counted, findingsOf, some } from '../finding.ts';
import type { Finding } from '../finding.ts';
import { DOCTOR_LIMITS } from './limits.ts';
import { secondsSince } from './since.ts';

const { ok, info, warning, error } = findingsOf('work');

/** Runs that are named. */
const NAMED = 5;

/** Runs that lie around, the longest first. */
export interface StaleFacts {
  /** The database's clock. */
  readonly now: Date;
  readonly runs: readonly { readonly runId: string; readonly since: Date }[];
  /** Whether there may be more than were listed. */
  readonly isCut: boolean;
}

function measuresOf({ now, runs }: StaleFacts): Finding['measured'] {
  const [first] = runs;
  return {
    runs: runs.length,
    oldest_seconds: first === undefined ? 0 : secondsSince(first.since, now),
    run_ids: runs.slice(0, NAMED).map(({ runId }) => runId),
  };
}

export function judgeWaiting(facts: StaleFacts): Finding {
  const { now, runs, isCut } = facts;
  const measured = measuresOf(facts);
  const [first] = runs;
  if (first === undefined) return ok('work_waiting', { message: 'no run has been due for long', measured });
  const many = `${counted(runs.length, 'run')}${isCut ? ' or more' : ''}`;
  const message = `${many} due for more than ${DOCTOR_LIMITS.waitingMs / 60_000} minutes, the first for ${secondsSince(first.since, now)} s`;
  return warning('work_waiting', { message, measured }, `spine run explain ${first.runId}`);
}

export function judgeLost(facts: StaleFacts): Finding {
  const { now, runs, isCut } = facts;
  const measured = measuresOf(facts);
  const [first] = runs;
  if (first === undefined) {
    return ok('work_leases', { message: 'no run is held by a worker that is gone', measured });
  }
  const many = `${counted(runs.length, 'run')}${isCut ? ' or more' : ''}`;
  const message = `${many} held by workers that are gone, for ${secondsSince(first.since, now)} s: no reaper takes them back`;
  return error(
    'work_leases',
    { message, measured },
    'start a scheduler: spine start, or node services/scheduler/dist/main.js',
  );
}

/** @param now the database's clock */
export function judgeWorkflows({ events, workflows, oldestDueAt }: OverdueWorkflows, now: Date): Finding {
  if (oldestDueAt === null) {
    return ok('work_workflows', {
      message: 'every workflow is advanced',
      measured: { workflows: 0, events: 0 },
    });
  }
  const seconds = secondsSince(oldestDueAt, now);
  return error(
    'work_workflows',
    {
      message: `${counted(workflows, 'workflow run')} not advanced: ${counted(events, 'event')} waiting, the first for ${seconds} s`,
      measured: { workflows, events, oldest_seconds: seconds },
    },
    "start a worker: each one advances workflows; else look at the workers' logs",
  );
}

export function judgeHolds({ holds, keys }: LeftHolds): Finding {
  if (holds === 0) {
    return ok('work_holds', {
      message: 'no place under a concurrency key is left over',
      measured: { holds },
    });
  }
  return warning(
    'work_holds',
    {
      message: `${counted(holds, 'place')} under concurrency keys left by runs that are over (${some(keys)}): they block nobody, and nobody sweeps them`,
      measured: { holds, keys },
    },
    'start a scheduler, which removes them',
  );
}

export interface DeadLetterFacts {
  readonly pending: number;
  readonly oldestAt: Date | null;
  /** Handlers with the most letters first. */
  readonly handlers: readonly string[];
  readonly now: Date;
}

export function judgeDeadLetters({ pending, oldestAt, handlers, now }: DeadLetterFacts): Finding {
  if (pending === 0) {
    return ok('work_dead_letters', { message: 'no dead letter is open', measured: { pending } });
  }
  const oldest = oldestAt === null ? 0 : secondsSince(oldestAt, now);
  return warning(
    'work_dead_letters',
    {
      message: `${counted(pending, 'dead letter')} open: ${some(handlers)}`,
      measured: { pending, oldest_seconds: oldest, handlers },
    },
    'spine dlq list, then spine dlq replay or resolve',
  );
}

export function judgePausedLanes(lanes: readonly LaneState[]): Finding[] {
  if (lanes.length === 0) return [];
  const names = lanes.map(({ lane, pausedBy }) => `${lane}${pausedBy === null ? '' : ` (by ${pausedBy})`}`);
  return [
    info(
      'work_paused_lanes',
      { message: `paused: ${some(names)}`, measured: { lanes: lanes.map(({ lane }) => lane) } },
      `spine queue resume ${lanes[0]?.lane ?? ''}`,
    ),
  ];
}
