/** A worker process, as libs/execution/src/worker has it. */
import { assertNever } from '@spine/core';
import type { AttemptAction, ProcessAction, WorkerAction } from './actions.ts';
import { wantAgain } from './adoption.ts';
import { putWorker } from './attempts.ts';
import { isExpected, takeExpected } from './early.ts';
import { decide } from './handler-ends.ts';
import { publish, takeHint } from './queue.ts';
import { freeSlots, isStoring, openSlots } from './slots.ts';
import { newWorker } from './world.ts';
import type { Attempt, Call, Worker, World } from './world.ts';

export function applyWorker(world: World, action: WorkerAction): boolean {
  const worker = world.workers[action.worker];
  if (worker === undefined || !isAble(worker, action)) return false;
  switch (action.type) {
    case 'deliver':
      return freeSlots(world, worker) > 0 && acceptHint(world, worker, action.run);
    case 'poll':
      if (!world.plan.polls || freeSlots(world, worker) <= 0) return false;
      return sendClaim(world, worker, action.run, 'poll');
    case 'claim_again': {
      const index = worker.unanswered.indexOf(action.run);
      if (index === -1) return false;
      putWorker(world, { ...worker, unanswered: worker.unanswered.toSpliced(index, 1) });
      return sendClaim(world, worker, action.run, 'resend');
    }
    case 'look': {
      const index = worker.lookingFor.indexOf(action.run);
      if (index === -1) return false;
      putWorker(world, { ...worker, lookingFor: worker.lookingFor.toSpliced(index, 1) });
      return sendClaim(world, worker, action.run, 'look');
    }
    case 'expect': {
      if (!isExpected(world, worker, action.run)) return false;
      const claim = takeExpected(world, worker, action.run, freeSlots(world, worker) > 0);
      return claim === null || send(world, claim);
    }
    case 'heartbeat':
      if (worker.attempts.length === 0 || isWaitingFor(world, worker, 'heartbeat')) return false;
      return send(world, { type: 'heartbeat', worker: worker.id, held: worker.attempts });
    case 'end':
    case 'settle':
    case 'event':
    case 'hang':
      return applyAttempt(world, worker, action);
    case 'freeze':
    case 'thaw':
    case 'crash':
    case 'restart':
    case 'stop':
    case 'exit':
      return applyProcess(world, worker, action);
    default:
      return assertNever(action);
  }
}

/** Whether the process is in a state to do this at all. */
function isAble({ mode }: Worker, { type }: WorkerAction): boolean {
  switch (type) {
    case 'restart':
      return mode === 'down';
    case 'thaw':
      return mode === 'frozen';
    case 'crash':
      return mode !== 'down';
    case 'deliver':
    case 'poll':
    case 'expect':
    case 'freeze':
    case 'stop':
      return mode === 'up';
    case 'exit':
      return mode === 'stopping';
    case 'claim_again':
    case 'look':
    case 'end':
    case 'settle':
    case 'event':
    case 'hang':
    case 'heartbeat':
      return mode === 'up' || mode === 'stopping';
    default:
      return assertNever(type);
  }
}

function acceptHint(world: World, worker: Worker, run: number): boolean {
  const hint = takeHint(world, run);
  if (hint === null) return false;
  return sendClaim(world, worker, run, 'hint', hint.early ? world.now : null);
}

function sendClaim(
  world: World,
  worker: Worker,
  run: number,
  from: 'hint' | 'poll' | 'resend' | 'look',
  expectedSince: number | null = null,
): true {
  return send(world, { type: 'claim', worker: worker.id, run, from, expectedSince });
}

function send(world: World, call: Call): true {
  world.sent.push({ call, caller: 'waiting', answer: null });
  return true;
}

function isWaitingFor(world: World, worker: Worker, type: 'heartbeat'): boolean {
  return world.sent.some(
    ({ call, caller }) => call.type === type && call.worker === worker.id && caller === 'waiting',
  );
}

function applyAttempt(world: World, worker: Worker, action: AttemptAction): boolean {
  const attempt = worker.attempts.filter(({ run }) => run === action.run)[action.nth];
  if (attempt === undefined) return false;
  const { run, token, epoch } = attempt;
  switch (action.type) {
    case 'end':
      if (attempt.phase !== 'running') return false;
      return put(world, worker, attempt, {
        ...attempt,
        phase: 'ended',
        settlement: decide(attempt, action.how),
      });
    case 'hang':
      if (attempt.phase !== 'running') return false;
      return put(world, worker, attempt, { ...attempt, phase: 'hung' });
    case 'event':
      if (attempt.phase !== 'running') return false;
      world.sent.push({
        call: { type: 'event', worker: worker.id, run, token, epoch },
        caller: 'gone',
        answer: null,
      });
      return true;
    case 'settle': {
      if (attempt.settlement === null || isSettling(world, worker, attempt)) return false;
      const { settlement } = attempt;
      return send(world, {
        type: 'settle',
        worker: worker.id,
        run,
        token,
        epoch,
        attempt: attempt.attempt,
        settlement,
      });
    }
    default:
      return assertNever(action);
  }
}

export function isSettling(world: World, worker: Worker, { run, token }: Attempt): boolean {
  return world.sent.some(
    ({ call, caller }) =>
      call.type === 'settle' &&
      call.worker === worker.id &&
      call.run === run &&
      call.token === token &&
      caller === 'waiting',
  );
}

function put(world: World, worker: Worker, old: Attempt, attempt: Attempt): true {
  putWorker(world, { ...worker, attempts: worker.attempts.map((each) => (each === old ? attempt : each)) });
  return true;
}

function applyProcess(world: World, worker: Worker, { type }: ProcessAction): boolean {
  switch (type) {
    case 'freeze':
      putWorker(world, { ...worker, mode: 'frozen' });
      return true;
    case 'thaw':
      putWorker(world, { ...worker, mode: 'up' });
      return true;
    case 'crash':
      hangUp(world, worker);
      putWorker(world, { ...newWorker(worker.id), mode: 'down' });
      return true;
    case 'restart':
      putWorker(world, newWorker(worker.id + world.plan.workers));
      return true;
    case 'stop':
      for (const { run } of worker.expecting) publish(world, run, true);
      putWorker(world, {
        ...worker,
        mode: 'stopping',
        expecting: [],
        attempts: worker.attempts.map((attempt) =>
          attempt.phase === 'ended'
            ? attempt
            : { ...attempt, phase: 'ended', settlement: { type: 'handed_back', reason: 'stop' } },
        ),
      });
      return true;
    case 'exit':
      if (worker.attempts.length > 0 || worker.unanswered.length > 0 || worker.lookingFor.length > 0)
        return false;
      if (openSlots(world, worker) > 0) return false;
      hangUp(world, worker);
      putWorker(world, { ...worker, mode: 'down' });
      return true;
    default:
      return assertNever(type);
  }
}

/** The process is gone: its statements may still arrive, their answers reach nobody. */
function hangUp(world: World, worker: Worker): void {
  world.sent = world.sent.flatMap((sent) => {
    const { call, caller } = sent;
    if (!('worker' in call) || call.worker !== worker.id) return [sent];
    if (isStoring(call) && caller === 'waiting') wantAgain(world, call);
    return sent.answer === null ? [{ ...sent, caller: 'gone' as const }] : [];
  });
}
