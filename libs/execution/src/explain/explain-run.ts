/**
 * Why a run does not run now: a pure answer from the rows that decide, by the judgement that decides.
 *
 * Every reason names what would have to change. Where several hold, all of them are said: the run starts when the last is
 * gone.
 */
import { handlerKey, isTerminal } from '@spine/core';
import { ENGINE_OWNER } from '@spine/database';
import type { ExplainedRun } from '@spine/database';
import { gateReasons } from './gate-reasons.ts';
import type { ExplainFacts, WaitReason } from './wait-reason.ts';

export interface Explanation {
  /** Whether it would have to start before it can end. */
  readonly waiting: boolean;
  readonly reasons: readonly WaitReason[];
}

export function explainRun(facts: ExplainFacts): Explanation {
  const { run } = facts;
  if (isTerminal(run.status)) return { waiting: false, reasons: [terminal(run)] };
  if (run.status === 'running') return { waiting: false, reasons: [running(run)] };
  const over = expired(run);
  if (over !== null) return { waiting: true, reasons: [over] };
  if (run.status === 'paused') return { waiting: true, reasons: [paused(facts)] };
  const held = [...due(facts), ...lane(facts), ...workers(facts), ...gateReasons(facts)];
  return { waiting: true, reasons: held.length > 0 ? held : [nobodyYet(facts)] };
}

function terminal(run: ExplainedRun): WaitReason {
  return {
    code: 'terminal',
    message: `the run is ${run.status}; it does not run again`,
    ...(run.completedAt === null ? {} : { since: run.completedAt }),
  };
}

function running({ leaseOwner, leaseExpiresAt, now }: ExplainedRun): WaitReason {
  if (leaseOwner === ENGINE_OWNER) {
    return { code: 'running', message: 'its workflow is under way; no worker is held by it meanwhile' };
  }
  const worker = leaseOwner ?? 'unknown';
  const until = leaseExpiresAt ?? now;
  const lapsed = until.getTime() <= now.getTime();
  return {
    code: lapsed ? 'lease_lapsed' : 'running',
    message: lapsed
      ? `worker ${worker} was last heard of before its lease ran out; the reaper takes the run back`
      : `worker ${worker} runs it and holds it under a lease`,
    until,
    workerId: worker,
  };
}

function expired({ startedAt, expiresAt, runDeadlineAt, now }: ExplainedRun): WaitReason | null {
  const over = (at: Date | null): at is Date => at !== null && at.getTime() <= now.getTime();
  if (over(runDeadlineAt)) {
    return { code: 'expired', message: 'its deadline is over; the reaper ends it', since: runDeadlineAt };
  }
  if (startedAt === null && over(expiresAt)) {
    return { code: 'expired', message: 'its time to live is over; the reaper ends it', since: expiresAt };
  }
  return null;
}

function paused({ holdUp }: ExplainFacts): WaitReason {
  if (holdUp?.eventType !== 'paused')
    return { code: 'paused', message: 'the run is paused until it is resumed' };
  const why = holdUp.reason === null ? '' : `: ${holdUp.reason}`;
  return {
    code: 'paused',
    message: `the run was paused by ${holdUp.by}${why}; it waits until it is resumed`,
    since: holdUp.at,
    by: holdUp.by,
  };
}

function due({ run, holdUp }: ExplainFacts): WaitReason[] {
  const { availableAt: until, now, error, attempt } = run;
  if (until.getTime() <= now.getTime()) return [];
  if (holdUp?.eventType === 'deferred') {
    const message = `its handler put it off: ${holdUp.reason ?? 'no reason given'}`;
    return [{ code: 'deferred', message, since: holdUp.at, until }];
  }
  if (attempt > 0 && error !== null) {
    const message = `attempt ${attempt} failed (${error.type}: ${error.message}); the next is due later`;
    return [{ code: 'retry_wait', message, until, ...(holdUp === null ? {} : { since: holdUp.at }) }];
  }
  return [{ code: 'not_due', message: 'it is not to start before its time', until }];
}

function lane({ lane: state, run }: ExplainFacts): WaitReason[] {
  if (state === null || state.pausedAt === null) return [];
  const note = state.note === null ? '' : `: ${state.note}`;
  const by = state.pausedBy ?? 'somebody';
  return [
    {
      code: 'lane_paused',
      message: `lane ${run.lane} was paused by ${by}${note}`,
      since: state.pausedAt,
      by,
      key: run.lane,
    },
  ];
}

function workers({ run, serving }: ExplainFacts): WaitReason[] {
  if (serving.lane === 0) {
    return [{ code: 'no_worker_for_lane', message: `no live worker serves lane ${run.lane}`, key: run.lane }];
  }
  if (serving.handler > 0) return [];
  const handler = handlerKey(run.kind, run.name);
  const message = `${serving.lane} live workers serve lane ${run.lane}, and none of them knows handler ${handler}`;
  return [{ code: 'no_worker_for_handler', message, key: handler }];
}

function nobodyYet({ run, serving }: ExplainFacts): WaitReason {
  if (serving.free === 0) {
    const message = `all ${serving.slots} slots of the ${serving.handler} workers that could run it are taken`;
    return { code: 'workers_busy', message, limit: serving.slots };
  }
  return {
    code: 'waiting_for_hint',
    message:
      'nothing holds it up: it starts when its hint reaches a worker; at the given time it is hinted again',
    ...(run.dispatchAfter === null ? {} : { until: run.dispatchAfter }),
  };
}
