/**
 * The end of every simulation: faults stop, everybody does what they have to, and every run must end within bounded
 * virtual time. Always the same steps for the same world, so that a schedule with its healing can be repeated.
 */
import { isTerminal } from '@spine/core';
import { FAULTS } from '../model/actions.ts';
import type { Action } from '../model/actions.ts';
import { apply } from '../model/apply.ts';
import { enabledActions, untilNextTimer } from '../model/enabled.ts';
import { report } from '../model/observer.ts';
import type { World } from '../model/world.ts';

/** Longer than any chain of leases, time-outs, delays and hint pauses that a plan allows. */
export const HEAL_LIMIT_MS = 900_000;

/** What only time brings about: looked at when nothing else is left to do. */
const PERIODIC = new Set<Action['type']>(['reap', 'relay', 'expire', 'poll', 'heartbeat']);

export interface Healed {
  /** Virtual time until everything was over. */
  readonly ms: number;
}

export type OnStep = (action: Action, world: World) => void;

/** Reports `unfinished` when something does not end. */
export function heal(world: World, onStep: OnStep): Healed {
  const begun = world.now;
  const act = (action: Action): boolean => {
    if (world.violation !== null || !apply(world, action)) return false;
    onStep(action, world);
    return true;
  };
  while (world.violation === null) {
    if (round(world, false, act) || round(world, true, act)) continue;
    if (isFinished(world)) break;
    const ms = untilNextTimer(world);
    if (ms === null || world.now + ms - begun > HEAL_LIMIT_MS) {
      report(world, { invariant: 'unfinished', detail: leftOver(world) });
      break;
    }
    act({ type: 'advance', ms });
    // Heartbeats come with time; one after every step of it keeps alive what lives.
    for (const worker of world.workers.keys()) act({ type: 'heartbeat', worker });
  }
  return { ms: world.now - begun };
}

/** Does once what can be done; false when there was nothing. */
function round(world: World, periodic: boolean, act: (action: Action) => boolean): boolean {
  const actions: Action[] = [];
  enabledActions(world, (action) => {
    if (isCalm(action) && PERIODIC.has(action.type) === periodic) actions.push(action);
  });
  let acted = false;
  for (const action of actions) acted = act(action) || acted;
  return acted;
}

function isCalm(action: Action): boolean {
  if (action.type === 'end') return action.how === 'returns';
  return action.type !== 'heartbeat' && action.type !== 'event' && !FAULTS.has(action.type);
}

/** Every client has its answer, and every run has ended. */
export function isFinished(world: World): boolean {
  return (
    world.clients.every(({ state }) => state === 'accepted') &&
    world.runs.every((run) => run === null || isTerminal(run.row.status))
  );
}

function leftOver(world: World): string {
  const left = world.runs.flatMap((run, number) =>
    run === null || isTerminal(run.row.status) ? [] : [`run ${number} is ${run.row.status}`],
  );
  const unanswered = world.clients.filter(({ state }) => state !== 'accepted').length;
  if (unanswered > 0) left.push(`${unanswered} clients have no answer`);
  return left.join(', ');
}
