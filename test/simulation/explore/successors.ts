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
import type { World } from '../model/world.ts';

export type Fault =
  | 'cut'
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
  'settle',
  'heartbeat',
]);

const NEEDLESS = new Set<ActionType>(['event', 'freeze', 'thaw', 'vanish', 'lose_hint', 'resubmit', 'cut']);

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
    if (NEEDLESS.has(action.type) || isRepetition(action)) return;
    const isFault = FAULTS.has(action.type);
    if (isFault && ![...faults].some((fault) => fault === action.type)) return;
    add(isFault, (after) => apply(after, action) && deliver(after, action, world.sent.length));
    if (faults.has('cut') && SENDS.has(action.type)) {
      add(true, (after) => apply(after, action) && cutLast(after));
    }
  });
  return found;
}

/** Ends that are like others: in all but the name of the last state, or, for a deferral, a hand-back. */
function isRepetition(action: Action): boolean {
  return action.type === 'end' && action.how !== 'returns' && action.how !== 'fails';
}

/** Executes what the step has sent, and what that sends in turn. */
function deliver(world: World, action: Action, before: number): boolean {
  if (TWO_STEPS.has(action.type)) return true;
  for (let last = world.sent.length - 1; last >= before; last = world.sent.length - 1) {
    if (!apply(world, { type: 'execute', ref: refOf(world, last) })) break;
  }
  return true;
}

function cutLast(world: World): boolean {
  return apply(world, { type: 'cut', ref: refOf(world, world.sent.length - 1) });
}
