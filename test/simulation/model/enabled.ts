/** Every step that may happen next. The scheduler picks one at random; the explorer takes all. */
import { isTerminal } from '@spine/core';
import { refOf } from './actions.ts';
import type { Action, HandlerEnd } from './actions.ts';
import { isExpected, LOOKS_MS, TRUSTED_MS } from './early.ts';
import { HEARTBEAT_MS, REAP_GRACE_MS, waitsUntil } from './row.ts';
import { canService } from './services.ts';
import { freeSlots } from './slots.ts';
import { isSettling } from './worker.ts';
import type { Attempt, Worker, World } from './world.ts';

export type Emit = (action: Action) => void;

const ENDS: readonly HandlerEnd[] = ['returns', 'fails', 'fails_for_good', 'times_out', 'defers'];
const OPERATORS = ['cancel', 'pause', 'resume'] as const;
const SERVICES = ['reap', 'relay', 'expire'] as const;

/** Steps but the passing of time, each once. */
export function enabledActions(world: World, emit: Emit): void {
  for (const [client, { state }] of world.clients.entries()) {
    if (state === 'idle') {
      emit({ type: 'submit', client });
      if (world.plan.adopts) adoptions(world, client, emit);
    }
    if (state === 'unanswered') {
      emit({ type: 'resend', client });
      emit({ type: 'resubmit', client });
    }
  }
  emit({ type: world.lanePaused ? 'resume_lane' : 'pause_lane' });
  calls(world, emit);
  hints(world, emit);
  for (const [place, worker] of world.workers.entries()) ofWorker(world, place, worker, emit);
  for (let run = 0; run < world.runs.length; run += 1) {
    for (const type of SERVICES) if (canService(world, { type, run })) emit({ type, run });
    for (const type of OPERATORS) if (canService(world, { type, run })) emit({ type, run });
  }
}

function adoptions(world: World, client: number, emit: Emit): void {
  for (const [worker, state] of world.workers.entries()) {
    if (state.mode !== 'up' || freeSlots(world, state) <= 0) continue;
    emit({ type: 'adopt', client, worker });
    emit({ type: 'adopt_and_cancel', client, worker });
  }
}

function calls(world: World, emit: Emit): void {
  for (const [index, { caller, answer, call }] of world.sent.entries()) {
    const ref = refOf(world, index);
    if (answer === null) emit({ type: 'execute', ref });
    else emit({ type: 'answer', ref });
    if (caller === 'waiting') emit({ type: 'cut', ref });
    // A dead letter that travels alone is one of the weakened guards: it is already reported.
    else if (call.type !== 'dead_letter') emit({ type: 'vanish', ref });
  }
}

function hints(world: World, emit: Emit): void {
  if (!world.queueUp) {
    emit({ type: 'queue_up' });
    return;
  }
  emit({ type: 'queue_down' });
  if (world.hints.length > 0) emit({ type: 'flush' });
  for (const run of new Set(world.hints.map((hint) => hint.run))) {
    emit({ type: 'lose_hint', run });
    emit({ type: 'duplicate_hint', run });
    for (const [worker, { mode }] of world.workers.entries()) {
      if (mode === 'up') emit({ type: 'deliver', run, worker });
    }
  }
}

function ofWorker(world: World, worker: number, state: Worker, emit: Emit): void {
  const { mode, attempts, unanswered, lookingFor } = state;
  if (mode === 'down') {
    emit({ type: 'restart', worker });
    return;
  }
  emit({ type: 'crash', worker });
  if (mode === 'frozen') {
    emit({ type: 'thaw', worker });
    return;
  }
  if (mode === 'up') {
    for (const { run } of state.expecting) {
      if (isExpected(world, state, run)) emit({ type: 'expect', worker, run });
    }
    emit({ type: 'freeze', worker });
    emit({ type: 'stop', worker });
    if (world.plan.polls && freeSlots(world, state) > 0) polls(world, worker, emit);
  } else if (attempts.length === 0 && unanswered.length === 0 && lookingFor.length === 0) {
    emit({ type: 'exit', worker });
  }
  for (const run of new Set(lookingFor)) emit({ type: 'look', worker, run });
  for (const run of new Set(unanswered)) emit({ type: 'claim_again', worker, run });
  if (attempts.length > 0) emit({ type: 'heartbeat', worker });
  for (const attempt of attempts) ofAttempt(world, worker, state, attempt, emit);
}

function polls(world: World, worker: number, emit: Emit): void {
  for (const [run, stored] of world.runs.entries()) {
    const after = stored?.row.dispatchAfter ?? null;
    if (after !== null && after <= world.now) emit({ type: 'poll', worker, run });
  }
}

function ofAttempt(world: World, worker: number, state: Worker, attempt: Attempt, emit: Emit): void {
  const { run, phase } = attempt;
  const nth = state.attempts.filter((each) => each.run === run).indexOf(attempt);
  if (phase === 'ended') {
    if (!isSettling(world, state, attempt)) emit({ type: 'settle', worker, run, nth });
    return;
  }
  if (phase === 'hung') return;
  for (const how of ENDS) emit({ type: 'end', worker, run, nth, how });
  emit({ type: 'event', worker, run, nth });
  emit({ type: 'hang', worker, run, nth });
}

/** Milliseconds until the clock makes something else possible, a heartbeat included; null when no time does. */
export function untilNextTimer(world: World, heartbeatMs = HEARTBEAT_MS): number | null {
  let next = Infinity;
  const at = (time: number | null): void => {
    if (time !== null && time > world.now && time < next) next = time;
  };
  for (const run of world.runs) {
    if (run === null || isTerminal(run.row.status)) continue;
    const { row } = run;
    at(row.leaseExpiresAt === null ? null : row.leaseExpiresAt + REAP_GRACE_MS + 1);
    at(row.deadlineAt === null ? null : row.deadlineAt + REAP_GRACE_MS + 1);
    at(row.availableAt);
    at(row.dispatchAfter);
    at(waitsUntil(row));
  }
  for (const { call, caller, answer } of world.sent) {
    if (call.type === 'submit' && call.early && caller === 'waiting') at(call.sentAt + TRUSTED_MS);
    if (call.type !== 'commit' || answer !== null) continue;
    const { leaseExpiresAt } = call.stored.row;
    at(leaseExpiresAt === null ? null : leaseExpiresAt + REAP_GRACE_MS + 1);
  }
  for (const { expecting } of world.workers) for (const { since } of expecting) at(since + LOOKS_MS);
  const held = world.runs.some((run) => run?.row.status === 'running');
  const wait = Math.min(next - world.now, held ? heartbeatMs : Infinity);
  return wait === Infinity ? null : wait;
}
