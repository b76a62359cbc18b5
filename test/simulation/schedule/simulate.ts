/** One world from a seed: a random schedule, then calm; and the same world again from its schedule. */
import type { Action } from '../model/actions.ts';
import { apply } from '../model/apply.ts';
import { enabledActions, untilNextTimer } from '../model/enabled.ts';
import type { Guards } from '../model/guards.ts';
import type { Invariant, Violation } from '../model/invariants.ts';
import { newWorld } from '../model/world.ts';
import type { Plan, World } from '../model/world.ts';
import { heal, isFinished } from './heal.ts';
import type { OnStep } from './heal.ts';
import { chancesOf, SLOWNESS } from './plan.ts';
import type { Chances } from './plan.ts';
import { Random } from './random.ts';

export interface Options {
  /** Invariants to pass over, to see what else is broken. */
  readonly ignored?: readonly Invariant[];
  /** Whether workers poll; else the seed decides. */
  readonly polls?: boolean;
}

export interface Outcome {
  readonly plan: Plan;
  /** The steps up to the calm; those of the calm, too, when they broke something. */
  readonly schedule: readonly Action[];
  readonly violation: Violation | null;
  /** Virtual time that the calm took. */
  readonly healMs: number;
  readonly world: World;
}

/** Runs the world of a seed. */
export function simulate(seed: number, guards: Guards, options: Options = {}): Outcome {
  const random = new Random(seed);
  const chances = chancesOf(random);
  const plan = options.polls === undefined ? chances.plan : { ...chances.plan, polls: options.polls };
  const world = newWorld(plan, guards, options.ignored);
  const schedule: Action[] = [];
  for (let step = 0; step < chances.steps && world.violation === null && !isOver(world); step += 1) {
    const action = choose(world, chances, random);
    if (apply(world, action)) schedule.push(action);
  }
  const calm: Action[] = [];
  const healMs = world.violation === null ? heal(world, (action) => calm.push(action)).ms : 0;
  const { violation } = world;
  if (violation !== null && violation.invariant !== 'unfinished') schedule.push(...calm);
  return { plan, schedule, violation, healMs, world };
}

/** What a schedule is replayed with: the calm shows what never ends, everything else is broken by a step. */
export interface Replay {
  readonly plan: Plan;
  readonly schedule: readonly Action[];
  readonly guards: Guards;
  readonly ignored?: readonly Invariant[] | undefined;
  readonly calm: boolean;
}

/** The same world from its schedule; steps that do not apply are passed over. `onStep` sees each that did. */
export function replay(
  { plan, schedule, guards, ignored, calm }: Replay,
  onStep: OnStep = () => undefined,
): Outcome {
  const world = newWorld(plan, guards, ignored);
  for (const action of schedule) {
    if (world.violation !== null) break;
    if (apply(world, action)) onStep(action, world);
  }
  const healMs = calm && world.violation === null ? heal(world, () => undefined).ms : 0;
  return { plan, schedule, violation: world.violation, healMs, world };
}

/** Nothing of interest can happen any more. */
function isOver(world: World): boolean {
  return (
    world.sent.length === 0 &&
    world.workers.every(({ attempts }) => attempts.length === 0) &&
    isFinished(world)
  );
}

/** Picks one possible step by weight, in one pass. */
function choose(world: World, { weights, slow }: Chances, random: Random): Action {
  let chosen: Action = { type: 'advance', ms: 500 };
  let total = 0;
  const offer = (action: Action): void => {
    const lag = action.type === 'execute' && slow.has(action.ref.call) ? SLOWNESS : 1;
    const weight = (weights.get(action.type) ?? 0) * lag;
    total += weight;
    if (random.next() * total < weight) chosen = action;
  };
  offer(chosen);
  offer({ type: 'advance', ms: 12_000 });
  offer({ type: 'advance', ms: untilNextTimer(world) ?? 1_000 });
  enabledActions(world, offer);
  return chosen;
}
