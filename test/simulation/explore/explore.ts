/**
 * Every state that can be reached from one beginning by any order of steps, with at most so many faults: breadth first,
 * each state once. Then, backwards from the states where all is over, which of them can get there without a fault.
 */
import type { Guards } from '../model/guards.ts';
import type { Invariant } from '../model/invariants.ts';
import { newWorld } from '../model/world.ts';
import type { Plan, World } from '../model/world.ts';
import { isFinished } from '../schedule/heal.ts';
import { Edges } from './edges.ts';
import { keyOf } from './key.ts';
import { successors } from './successors.ts';
import type { Fault } from './successors.ts';

export interface Exploration {
  readonly plan: Plan;
  readonly guards: Guards;
  /** Kinds of faults that happen, and how many in all. */
  readonly faults: ReadonlySet<Fault>;
  readonly atMost: number;
  readonly ignored?: readonly Invariant[];
}

export interface Explored {
  readonly states: number;
  readonly steps: number;
  /** States in which an invariant is broken, by invariant. They are not gone on from. */
  readonly violations: ReadonlyMap<Invariant, number>;
  /** States from which no way without faults leads to the end. */
  readonly stuck: number;
}

interface Open {
  readonly world: World;
  readonly faults: number;
  readonly number: number;
}

const NONE: ReadonlySet<Fault> = new Set();

export function explore({ plan, guards, faults, atMost, ignored }: Exploration): Explored {
  const numbers = new Map<string, number>();
  const violations = new Map<Invariant, number>();
  const finished: number[] = [];
  const calm = new Edges();
  let steps = 0;
  let broken = 0;
  let next: Open[] = [];

  const visit = (world: World, used: number): number => {
    const { violation } = world;
    // A wrong way may lead to where a right one does: it is wrong all the same.
    const key = `${used}${violation?.invariant ?? ''}${keyOf(world)}`;
    const known = numbers.get(key);
    if (known !== undefined) return known;
    const number = numbers.size;
    numbers.set(key, number);
    if (violation !== null) {
      broken += 1;
      violations.set(violation.invariant, (violations.get(violation.invariant) ?? 0) + 1);
      return number;
    }
    next.push({ world, faults: used, number });
    if (isFinished(world)) finished.push(number);
    return number;
  };

  visit(newWorld(plan, guards, ignored), 0);
  while (next.length > 0) {
    const open = next;
    next = [];
    for (const { world, faults: used, number } of open) {
      for (const after of successors(world, used < atMost ? faults : NONE)) {
        steps += 1;
        const to = visit(after.world, used + (after.isFault ? 1 : 0));
        if (!after.isFault) calm.add(number, to);
      }
    }
  }
  const able = calm.reaching(finished, numbers.size);
  return { states: numbers.size, steps, violations, stuck: numbers.size - broken - able };
}
