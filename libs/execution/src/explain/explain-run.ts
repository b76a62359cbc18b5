/**
 * Why a run does not run now: a pure answer from the rows that decide, by the judgement that decides.
 *
 * Every reason names what would have to change. Where several hold, all of them are said: the run starts when the last is
 * gone.
 */
import { assertNever, handlerKey, isTerminal } from '@spine/core';
import { gateId, judgeGate, UNUSED } from '@spine/database';
import type {
  BreakerRecord,
  ExplainedRun,
  Gate,
  GateFacts,
  HoldUp,
  LaneState,
  LineDetail,
  Serving,
} from '@spine/database';

export const WAIT_CODES = [
  'terminal',
  'running',
  'lease_lapsed',
  'expired',
  'paused',
  'not_due',
  'retry_wait',
  'deferred',
  'lane_paused',
  'no_worker_for_lane',
  'no_worker_for_handler',
  'gates_unreadable',
  'singleton_active',
  'concurrency_limit',
  'rate_limit',
  'breaker_open',
  'breaker_probing',
  'workers_busy',
  'waiting_for_hint',
] as const;
export type WaitCode = (typeof WAIT_CODES)[number];

export interface WaitReason {
  readonly code: WaitCode;
  /** One sentence for people. */
  readonly message: string;
  readonly since?: Date;
  /** The moment from which on this reason is gone, where time alone ends it. */
  readonly until?: Date;
  /** Runs that stand in the way; the first 20. */
  readonly runIds?: readonly string[];
  /** The key or the dependency. */
  readonly key?: string;
  readonly limit?: number;
  /** In the line, 1 for the next; counted up to 10,000. */
  readonly position?: number;
  readonly workerId?: string;
  /** Who brought it about. */
  readonly by?: string;
}

/** What was read, in one snapshot. */
export interface ExplainFacts {
  readonly run: ExplainedRun;
  readonly lane: LaneState | null;
  readonly holdUp: HoldUp | null;
  readonly serving: Serving;
  /** As a claim would see them; null for gates that cannot be read. */
  readonly gates: readonly Gate[] | null;
  readonly facts: GateFacts;
  /** By gateId. */
  readonly lines: ReadonlyMap<string, LineDetail>;
  /** By name. */
  readonly breakers: ReadonlyMap<string, BreakerRecord>;
}

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
  const held = [...due(facts), ...lane(facts), ...workers(facts), ...gates(facts)];
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
  if (holdUp?.eventType !== 'paused') return { code: 'paused', message: 'the run is paused until it is resumed' };
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

function gates(all: ExplainFacts): WaitReason[] {
  if (all.gates === null) {
    return [{ code: 'gates_unreadable', message: 'its gates are of a later release; a worker of that release is needed' }];
  }
  return all.gates.flatMap((gate) => {
    const fact = all.facts.gates.get(gateId(gate)) ?? UNUSED;
    const judgement = judgeGate(gate, all.run, fact, all.facts.now);
    return judgement.open ? [] : [shut(gate, judgement.until, all)];
  });
}

function shut(gate: Gate, untilMs: number | null, { lines, breakers, facts }: ExplainFacts): WaitReason {
  const { holders, ahead } = lines.get(gateId(gate)) ?? { holders: [], ahead: 0 };
  const fact = facts.gates.get(gateId(gate)) ?? UNUSED;
  const { key } = gate;
  const place = { key, position: ahead + 1, ...(untilMs === null ? {} : { until: new Date(untilMs) }) };
  switch (gate.type) {
    case 'concurrency': {
      const kept = fact.reserved.length === 0 ? '' : `, ${fact.reserved.length} kept for runs that were told before`;
      const message = `${fact.held} of ${gate.limit} places under key ${key} are taken${kept}`;
      return { code: 'concurrency_limit', message, ...place, limit: gate.limit, runIds: holders };
    }
    case 'rate': {
      const { limit, perMs } = gate.rate;
      const message = `the rate of key ${key}, ${limit} in ${perMs / 1_000} s, is used up`;
      return { code: 'rate_limit', message, ...place, limit };
    }
    case 'singleton':
      return {
        code: 'singleton_active',
        message: `another run with singleton key ${key} is active`,
        key,
        ...(fact.active === null ? {} : { runIds: [fact.active] }),
      };
    case 'breaker':
      return shutBreaker(key, breakers.get(key), place);
    default:
      return assertNever(gate);
  }
}

function shutBreaker(
  name: string,
  breaker: BreakerRecord | undefined,
  place: Pick<WaitReason, 'key' | 'position' | 'until'>,
): WaitReason {
  const known = breaker === undefined ? {} : { since: breaker.updatedAt, by: breaker.changedBy };
  if (breaker?.state === 'half_open') {
    const runIds = breaker.probeOwner === null ? [] : [breaker.probeOwner];
    const message = `the circuit breaker of ${name} is half open: one run tries the dependency`;
    return { code: 'breaker_probing', message, ...place, ...known, runIds };
  }
  const forced = breaker?.forced === true ? ' by an operator, until further notice' : '';
  return { code: 'breaker_open', message: `the circuit breaker of ${name} is open${forced}`, ...place, ...known };
}

function nobodyYet({ run, serving }: ExplainFacts): WaitReason {
  if (serving.free === 0) {
    const message = `all ${serving.slots} slots of the ${serving.handler} workers that could run it are taken`;
    return { code: 'workers_busy', message, limit: serving.slots };
  }
  return {
    code: 'waiting_for_hint',
    message: 'nothing holds it up: it starts when its hint reaches a worker; at the given time it is hinted again',
    ...(run.dispatchAfter === null ? {} : { until: run.dispatchAfter }),
  };
}
