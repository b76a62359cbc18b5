/**
 * The worker's side of a run that its own process stores, as libs/execution/src/worker/adopter.ts has it: a transaction
 * begins, the worker keeps a slot and is asked, the run is stored as claimed, the transaction commits, and the handler
 * starts. Where the connection breaks, the worker looks whether the run is there; whoever wanted it stored wants it again,
 * or sends the same row once more, to be queued (libs/execution/src/dispatch/eager-starts.ts).
 */
import type { AdoptAction } from './actions.ts';
import { beginAttempt, putWorker, workerOf } from './attempts.ts';
import { hint } from './queue.ts';
import { freeSlots } from './slots.ts';
import type { StoringCall } from './slots.ts';
import type { Answer, Call, Worker, World } from './world.ts';

type CallOf<T extends Call['type']> = Extract<Call, { type: T }>;
type AnswerOf<T extends Answer['type']> = Extract<Answer, { type: T }>;

/** A process begins to store the run of a client. */
export function applyAdoption(world: World, { type, client, worker: place }: AdoptAction): boolean {
  const worker = world.workers[place];
  if (worker?.mode !== 'up' || world.clients[client]?.state !== 'idle') return false;
  if (freeSlots(world, worker) <= 0) return false;
  const run = world.runs.push(null) - 1;
  const withdrawn = type === 'adopt_and_cancel';
  send(world, { type: 'begin', client, run, worker: worker.id, withdrawn });
  world.clients[client] = { state: 'waiting', run };
  return true;
}

function send(world: World, call: StoringCall): void {
  world.sent.push({ call, caller: 'waiting', answer: null });
}

/** The process, unless it stands still. */
function awake(world: World, { worker: id }: StoringCall): Worker | null {
  const worker = workerOf(world, id);
  return worker?.mode === 'frozen' ? null : worker;
}

export function learnBegin(world: World, call: CallOf<'begin'>, { at }: AnswerOf<'begin'>): boolean {
  const worker = awake(world, call);
  if (worker === null) return false;
  // A worker that stops takes nothing more; its process still ends what it has begun.
  const wanted = worker.mode === 'up';
  const hinted = world.queueUp;
  send(world, { ...call, type: 'store', hinted, wanted, begunAt: at, askedAt: world.now });
  return true;
}

export function learnStore(
  world: World,
  call: CallOf<'store'>,
  { stored, claimed }: AnswerOf<'store'>,
): boolean {
  const worker = awake(world, call);
  if (worker === null) return false;
  const { client, run, withdrawn, askedAt } = call;
  send(world, { type: 'commit', client, run, worker: worker.id, withdrawn, askedAt, stored, claimed });
  if (claimed !== null && world.guards.adoptBegins === 'on_insert') {
    beginAttempt(world, worker, claimed, askedAt);
  }
  return true;
}

export function learnCommit(
  world: World,
  call: CallOf<'commit'>,
  { run, inserted }: AnswerOf<'submit' | 'commit'>,
): boolean {
  const worker = awake(world, call);
  if (worker === null) return false;
  world.clients[call.client] = { state: 'accepted', run };
  if (!inserted) return true;
  const { claimed, withdrawn, askedAt } = call;
  const { adoptBegins, adoptWithdrawn } = world.guards;
  if (claimed === null) hint(world, run);
  else if (adoptBegins === 'on_commit' && !(withdrawn && adoptWithdrawn)) {
    beginAttempt(world, worker, claimed, askedAt);
  }
  return true;
}

/** Nobody knows whether it has committed. */
export function onStoringCut(world: World, call: StoringCall): void {
  if (world.plan.repeats) world.clients[call.client] = { state: 'unanswered', run: call.run };
  else wantAgain(world, call);
  const worker = workerOf(world, call.worker);
  if (worker === null || !world.guards.adoptLooks) return;
  if (call.type !== 'begin') putWorker(world, { ...worker, lookingFor: [...worker.lookingFor, call.run] });
}

/** Another advance of the same workflow finds the run, or stores one of its own. */
export function wantAgain(world: World, { client }: StoringCall): void {
  world.clients[client] = { state: 'idle', run: null };
}
