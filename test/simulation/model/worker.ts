/** A worker process, as libs/execution/src/worker has it. How an attempt ends is decided by the engine's own policy. */
import { assertNever, ErrorCategory } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { Settlement } from '@spine/database';
import { decideSettlement } from '@spine/execution';
import type { AttemptEnd } from '@spine/execution';
import type { AttemptAction, HandlerEnd, ProcessAction, WorkerAction } from './actions.ts';
import { putWorker } from './answers.ts';
import { takeHint } from './queue.ts';
import type { Attempt, Call, Worker, World } from './world.ts';

export function applyWorker(world: World, action: WorkerAction): boolean {
  const worker = world.workers[action.worker];
  if (worker === undefined || !isAble(worker, action)) return false;
  switch (action.type) {
    case 'deliver':
      if (freeSlots(world, worker) <= 0 || !takeHint(world, action.run)) return false;
      return send(world, { type: 'claim', worker: worker.id, run: action.run, from: 'hint' });
    case 'poll':
      if (!world.plan.polls || freeSlots(world, worker) <= 0) return false;
      return send(world, { type: 'claim', worker: worker.id, run: action.run, from: 'poll' });
    case 'claim_again': {
      const index = worker.unanswered.indexOf(action.run);
      if (index === -1) return false;
      putWorker(world, { ...worker, unanswered: worker.unanswered.toSpliced(index, 1) });
      return send(world, { type: 'claim', worker: worker.id, run: action.run, from: 'resend' });
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
    case 'freeze':
    case 'stop':
      return mode === 'up';
    case 'exit':
      return mode === 'stopping';
    case 'claim_again':
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

function send(world: World, call: Call): true {
  world.sent.push({ call, caller: 'waiting', answer: null });
  return true;
}

/** What a worker waits for an answer of: its heartbeat, or a claim of any run. */
function isWaitingFor(world: World, worker: Worker, type: 'heartbeat' | 'claim'): boolean {
  return world.sent.some(
    ({ call, caller }) => call.type === type && call.worker === worker.id && caller === 'waiting',
  );
}

export function freeSlots(world: World, worker: Worker): number {
  const claims = world.sent.filter(
    ({ call, caller }) => call.type === 'claim' && call.worker === worker.id && caller === 'waiting',
  ).length;
  return world.plan.slots - worker.attempts.length - worker.unanswered.length - claims;
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
      putWorker(world, { ...worker, mode: 'down', attempts: [], unanswered: [] });
      return true;
    case 'restart':
      putWorker(world, {
        id: worker.id + world.plan.workers,
        mode: 'up',
        attempts: [],
        unanswered: [],
      });
      return true;
    case 'stop':
      putWorker(world, {
        ...worker,
        mode: 'stopping',
        attempts: worker.attempts.map((attempt) =>
          attempt.phase === 'ended'
            ? attempt
            : { ...attempt, phase: 'ended', settlement: { type: 'handed_back', reason: 'stop' } },
        ),
      });
      return true;
    case 'exit':
      if (worker.attempts.length > 0 || worker.unanswered.length > 0) return false;
      if (isWaitingFor(world, worker, 'claim')) return false;
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
    if (!('worker' in sent.call) || sent.call.worker !== worker.id) return [sent];
    return sent.answer === null ? [{ ...sent, caller: 'gone' as const }] : [];
  });
}

function decide({ attempt, epoch, spec }: Attempt, how: HandlerEnd): Settlement {
  return decideSettlement({ ...spec, attempt, epoch }, endOf(how), 0);
}

function endOf(how: HandlerEnd): AttemptEnd {
  switch (how) {
    case 'returns':
      return { type: 'returned', result: null };
    case 'fails':
      return { type: 'threw', error: errorOf(true) };
    case 'fails_for_good':
      return { type: 'threw', error: errorOf(false) };
    case 'times_out':
      return { type: 'timed_out', error: errorOf(true) };
    case 'defers':
      return { type: 'deferred', delayMs: DEFER_MS, reason: 'not yet' };
    default:
      return assertNever(how);
  }
}

/** How long handlers put themselves off. */
const DEFER_MS = 5_000;

const errorOf = (retryable: boolean): ErrorInfo => ({
  message: 'it broke',
  type: 'Error',
  category: ErrorCategory.UNKNOWN,
  retryable,
  retryAfterSeconds: null,
});
