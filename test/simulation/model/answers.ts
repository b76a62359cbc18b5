/** What senders make of an answer, and of a connection that broke before one came. */
import { assertNever } from '@spine/core';
import { learnBegin, learnCommit, learnStore, onStoringCut } from './adoption.ts';
import { beginAttempt, putWorker, workerOf } from './attempts.ts';
import { expectAgain, isHintedInTime } from './early.ts';
import { hint } from './queue.ts';
import { isHeldBy } from './worker-statements.ts';
import type { Answer, Attempt, Call, Claimed, Worker, World } from './world.ts';

type CallOf<T extends Call['type']> = Extract<Call, { type: T }>;

/** False when the sender cannot take the answer now. */
export function learn(world: World, call: Call, answer: Answer): boolean {
  switch (answer.type) {
    case 'submit':
    case 'commit':
      if (call.type === 'commit') return learnCommit(world, call, answer);
      return call.type === 'submit' && learnSubmit(world, call, answer);
    case 'begin':
      return call.type === 'begin' && learnBegin(world, call, answer);
    case 'store':
      return call.type === 'store' && learnStore(world, call, answer);
    case 'relay':
      // A hint that cannot be sent leaves the run to the relay's next look.
      if (answer.hint && 'run' in call) hint(world, call.run);
      return true;
    case 'claim':
      return call.type === 'claim' && learnClaim(world, call, answer);
    case 'settle':
      return call.type === 'settle' && learnSettle(world, call);
    case 'heartbeat':
      return call.type === 'heartbeat' && learnHeartbeat(world, call, answer);
    default:
      return assertNever(answer);
  }
}

function learnSubmit(
  world: World,
  call: CallOf<'submit'>,
  answer: Extract<Answer, { type: 'submit' | 'commit' }>,
): boolean {
  world.clients[call.client] = { state: 'accepted', run: answer.run };
  if (answer.inserted && !isHintedInTime(world, call)) hint(world, answer.run);
  return true;
}

function learnClaim(
  world: World,
  call: CallOf<'claim'>,
  { claimed, own }: Extract<Answer, { type: 'claim' }>,
): boolean {
  const worker = workerOf(world, call.worker);
  if (worker === null || worker.mode === 'frozen') return false;
  if (claimed === null) {
    expectAgain(world, worker, call);
    return true;
  }
  // At a later epoch it was taken from this worker, whoever has it now.
  if (call.from === 'look' && claimed.epoch > 1) return true;
  if (own && isOvertaking(world, call)) return false;
  if (own && !mayTakeUp(world, worker, claimed)) return true;
  beginAttempt(world, worker, claimed);
  return true;
}

/** After two more round trips, earlier answers have arrived: the one assumption about time that the engine makes. */
function isOvertaking(world: World, { worker, run }: CallOf<'claim'>): boolean {
  if (world.guards.lostClaim !== 'looked_twice') return false;
  return world.sent.some(
    ({ call, answer }) =>
      call.type === 'claim' &&
      call.worker === worker &&
      call.run === run &&
      answer?.type === 'claim' &&
      !answer.own &&
      answer.claimed !== null,
  );
}

/** Whether a run that names this worker as its holder is to be executed: not when it is already, or was. */
function mayTakeUp(world: World, worker: Worker, { run, token }: Claimed): boolean {
  const { lostClaim } = world.guards;
  if (lostClaim === 'blindly') return true;
  if (worker.attempts.some((attempt) => attempt.run === run)) return false;
  if (lostClaim === 'looked_once') return true;
  const stored = world.runs[run];
  return stored?.holder?.token === token && isHeldBy(stored.row, worker.id);
}

function learnSettle(world: World, call: CallOf<'settle'>): boolean {
  const worker = workerOf(world, call.worker);
  if (worker === null || worker.mode === 'frozen') return false;
  // Settled or fenced: the attempt is over either way.
  const attempts = worker.attempts.filter(({ run, token }) => run !== call.run || token !== call.token);
  putWorker(world, { ...worker, attempts });
  return true;
}

/** What is missing from the answer was taken away: its handler is aborted and settles nothing. */
function learnHeartbeat(
  world: World,
  call: CallOf<'heartbeat'>,
  answer: Extract<Answer, { type: 'heartbeat' }>,
): boolean {
  const worker = workerOf(world, call.worker);
  if (worker === null || worker.mode === 'frozen') return false;
  const lost = (attempt: Attempt): boolean =>
    attempt.phase !== 'ended' &&
    call.held.some(
      ({ run, token }, index) =>
        run === attempt.run && token === attempt.token && !answer.alive.includes(index),
    );
  putWorker(world, { ...worker, attempts: worker.attempts.filter((attempt) => !lost(attempt)) });
  return true;
}

/** The sender finds its connection broken. False for senders that would not notice. */
export function onCut(world: World, call: Call): boolean {
  switch (call.type) {
    case 'submit':
      world.clients[call.client] = { state: 'unanswered', run: call.run };
      return true;
    case 'begin':
    case 'store':
    case 'commit':
      onStoringCut(world, call);
      return true;
    case 'claim': {
      const worker = workerOf(world, call.worker);
      if (worker === null) return true;
      if (call.from !== 'look') putWorker(world, { ...worker, unanswered: [...worker.unanswered, call.run] });
      // A worker that stops looks once.
      else if (worker.mode !== 'stopping') {
        putWorker(world, { ...worker, lookingFor: [...worker.lookingFor, call.run] });
      }
      return true;
    }
    case 'settle':
    case 'heartbeat':
    case 'relay':
      return true;
    case 'event':
    case 'reap':
    case 'cancel':
    case 'pause':
    case 'resume':
    case 'expire':
    case 'unhint':
    case 'dead_letter':
      return false;
    default:
      return assertNever(call);
  }
}
