/**
 * What may happen next in a small world, each as a world of its own.
 *
 * 1. A statement is executed as it is sent: one that arrives late is the same as one that is sent late, because nobody
 *    else can see it on its way. The exceptions are a service's write, which follows its read when it likes, and, as a
 *    fault, a broken connection, whose statement may be executed at any later time, or never.
 * 2. A frozen worker is one that takes no step for a while, so freezing needs no step of its own. Likewise a lost
 *    hint, with a single run, is an emptied queue, and a statement lost for good is one that nobody waits for.
 * 3. Time goes to the next moment at which something changes, and in pieces of a heartbeat while a lease runs.
 */
import type { Action, ActionType } from '../model/actions.ts';
import { FAULTS, refOf } from '../model/actions.ts';
import { apply } from '../model/apply.ts';
import { enabledActions, untilNextTimer } from '../model/enabled.ts';
import { copyWorld } from '../model/world.ts';
import type { Call, World } from '../model/world.ts';

export type Fault =
  | 'cut'
  /** Of a COMMIT that has happened. */
  | 'lost_answer'
  | 'adopt_and_cancel'
  | 'crash'
  | 'stop'
  | 'hang'
  | 'cancel'
  | 'pause'
  | 'pause_lane'
  | 'flush'
  | 'duplicate_hint'
  | 'queue_down';

export interface Successor {
  readonly world: World;
  readonly isFault: boolean;
}

/** Between two heartbeats of a world; longer than in production, so that there are fewer moments to tell apart. */
const HEARTBEAT_MS = 20_000;

/** More hints of the same run change nothing. */
const MAX_HINTS = 2;

/** Services whose write may come after other things happened. */
const TWO_STEPS = new Set<ActionType>(['reap', 'expire']);

/** Steps whose statement may be lost in a broken connection. */
const SENDS = new Set<ActionType>([
  'submit',
  'resend',
  'deliver',
  'poll',
  'claim_again',
  'expect',
  'look',
  'settle',
  'heartbeat',
]);

const NEEDLESS = new Set<ActionType>(['event', 'freeze', 'thaw', 'vanish', 'lose_hint', 'resubmit']);

/** Statements that are executed when it suits them: a COMMIT, and a submit whose hint is ahead of it. */
const ON_THEIR_WAY = new Set<Call['type']>(['commit', 'submit']);

/** Every world one step away. `faults`: those that may still happen. */
export function successors(world: World, faults: ReadonlySet<Fault>): Successor[] {
  const found: Successor[] = [];
  const add = (isFault: boolean, step: (after: World) => boolean): void => {
    const after = copyWorld(world);
    if (step(after) && after.hints.length <= MAX_HINTS) found.push({ world: after, isFault });
  };
  const ms = untilNextTimer(world, HEARTBEAT_MS);
  if (ms !== null) add(false, (after) => apply(after, { type: 'advance', ms }));
  enabledActions(world, (action) => {
    if (isNeedless(action) || isRepetition(action)) return;
    if (action.type === 'cut' && faults.has('lost_answer')) {
      const { ref } = action;
      add(true, (after) => apply(after, action) && apply(after, { type: 'execute', ref }));
    }
    const isFault = FAULTS.has(action.type);
    if (isFault && ![...faults].some((fault) => fault === action.type)) return;
    add(isFault, (after) => apply(after, action) && deliver(after, action, world.sent.length));
    if (faults.has('cut') && SENDS.has(action.type)) {
      add(true, (after) => apply(after, action) && cutLast(after, world.sent.length));
    }
  });
  return found;
}

/** A connection breaks with the statement that is sent in it; those that are on their way for longer are the exception. */
function isNeedless(action: Action): boolean {
  if (action.type === 'cut') return !ON_THEIR_WAY.has(action.ref.call);
  return NEEDLESS.has(action.type);
}

/** Ends that are like others: in all but the name of the last state, or, for a deferral, a hand-back. */
function isRepetition(action: Action): boolean {
  return action.type === 'end' && action.how !== 'returns' && action.how !== 'fails';
}

/** Executes what the step has sent, and what that sends in turn, up to what stays on its way. */
function deliver(world: World, action: Action, before: number): boolean {
  if (TWO_STEPS.has(action.type)) return true;
  for (let last = world.sent.length - 1; last >= before; last = world.sent.length - 1) {
    const ref = refOf(world, last);
    if (ref.call === 'commit' || isAheadOf(world, last)) break;
    if (!apply(world, { type: 'execute', ref })) break;
  }
  return true;
}

/** Whether the hint of this submit is ahead of it. */
function isAheadOf(world: World, index: number): boolean {
  const call = world.sent[index]?.call;
  return call?.type === 'submit' && call.early;
}

/** Breaks the connection of what the step has sent; false when it has sent nothing. */
function cutLast(world: World, before: number): boolean {
  if (world.sent.length <= before) return false;
  return apply(world, { type: 'cut', ref: refOf(world, world.sent.length - 1) });
}
