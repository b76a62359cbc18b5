/**
 * The steps of a simulation as data: a schedule is a list of them and can be printed, replayed and shortened. They name
 * what they act on by what it is (the settlement of run 0 by worker 1), not by where it stands, so that a schedule
 * with steps removed still makes sense; a step that does not apply any more is passed over.
 */
import type { Call, Sent, World } from './world.ts';
import { placeOf } from './world.ts';

/** A statement on its way; `nth` of those that look alike, the oldest first. `worker` is a place, -1 for none. */
export interface CallRef {
  readonly call: Call['type'];
  readonly worker: number;
  /** -1 for a heartbeat, which is of no single run. */
  readonly run: number;
  readonly nth: number;
}

/** How a handler ends. */
export type HandlerEnd = 'returns' | 'fails' | 'fails_for_good' | 'times_out' | 'defers';

/** `submit` the first time, `resend` the same row by the same API process, `resubmit` by the client with a new id. */
export interface ClientAction {
  readonly type: 'submit' | 'resend' | 'resubmit';
  readonly client: number;
}

/** A worker's process stores a run for the worker to take; `adopt_and_cancel`: and cancels it in the same transaction. */
export interface AdoptAction {
  readonly type: 'adopt' | 'adopt_and_cancel';
  readonly client: number;
  readonly worker: number;
}

/** A statement on its way is executed, its answer arrives, its connection breaks, or it is lost for good. */
export interface CallAction {
  readonly type: 'execute' | 'answer' | 'cut' | 'vanish';
  readonly ref: CallRef;
}

/**
 * A worker claims: what a hint brings, what it finds itself, once more what it got no answer about, or what an early hint
 * has named; `look`: it looks whether a run is its own whose COMMIT nobody has answered.
 */
export interface ClaimAction {
  readonly type: 'deliver' | 'poll' | 'claim_again' | 'expect' | 'look';
  readonly run: number;
  readonly worker: number;
}

/** Of the attempts of a run in one worker, the `nth`. */
export type AttemptAction = {
  readonly worker: number;
  readonly run: number;
  readonly nth: number;
} & ({ readonly type: 'end'; readonly how: HandlerEnd } | { readonly type: 'settle' | 'event' | 'hang' });

export interface HeartbeatAction {
  readonly type: 'heartbeat';
  readonly worker: number;
}

export interface ProcessAction {
  readonly type: 'freeze' | 'thaw' | 'crash' | 'restart' | 'stop' | 'exit';
  readonly worker: number;
}

/** Reads of the scheduler's services and wishes of operators, each about one run. */
export interface ServiceAction {
  readonly type: 'reap' | 'relay' | 'expire' | 'cancel' | 'pause' | 'resume';
  readonly run: number;
}

export interface LaneAction {
  readonly type: 'pause_lane' | 'resume_lane';
}

export type QueueAction =
  | { readonly type: 'lose_hint' | 'duplicate_hint'; readonly run: number }
  | { readonly type: 'flush' | 'queue_down' | 'queue_up' };

export type WorkerAction = ClaimAction | AttemptAction | HeartbeatAction | ProcessAction;

export type Action =
  | { readonly type: 'advance'; readonly ms: number }
  | ClientAction
  | AdoptAction
  | CallAction
  | WorkerAction
  | ServiceAction
  | LaneAction
  | QueueAction;

export type ActionType = Action['type'];

/** What only happens when something is broken, or when an operator wants it. Calm worlds do without. */
export const FAULTS: ReadonlySet<ActionType> = new Set<ActionType>([
  'cut',
  'vanish',
  'resubmit',
  'adopt_and_cancel',
  'freeze',
  'crash',
  'hang',
  'stop',
  'cancel',
  'pause',
  'pause_lane',
  'lose_hint',
  'duplicate_hint',
  'flush',
  'queue_down',
]);

export function callWorker(call: Call): number | null {
  return 'worker' in call ? call.worker : null;
}

function looksLike(world: World, { call }: Sent, ref: CallRef): boolean {
  if (call.type !== ref.call) return false;
  const worker = callWorker(call);
  if ((worker === null ? -1 : placeOf(world, worker)) !== ref.worker) return false;
  return ('run' in call ? call.run : -1) === ref.run;
}

/** The statement a reference names; -1 when there is none. */
export function findCall(world: World, ref: CallRef): number {
  let left = ref.nth;
  for (const [index, sent] of world.sent.entries()) {
    if (!looksLike(world, sent, ref)) continue;
    if (left === 0) return index;
    left -= 1;
  }
  return -1;
}

export function refOf(world: World, index: number): CallRef {
  const call = world.sent[index]?.call;
  if (call === undefined) throw new RangeError(`no statement ${index}`);
  const worker = callWorker(call);
  const ref: CallRef = {
    call: call.type,
    worker: worker === null ? -1 : placeOf(world, worker),
    run: 'run' in call ? call.run : -1,
    nth: 0,
  };
  const nth = world.sent.slice(0, index).filter((sent) => looksLike(world, sent, ref)).length;
  return nth === 0 ? ref : { ...ref, nth };
}
