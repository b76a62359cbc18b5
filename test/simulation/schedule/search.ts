/** Looks through seeds for a world that breaks an invariant, and makes the shortest story of it. */
import type { Guards } from '../model/guards.ts';
import type { Invariant, Violation } from '../model/invariants.ts';
import { describeSchedule } from './describe.ts';
import { shrink } from './shrink.ts';
import { simulate } from './simulate.ts';
import type { Options, Replay } from './simulate.ts';

export interface Found {
  readonly seed: number;
  readonly violation: Violation;
  /** As it happened. */
  readonly failing: Replay;
}

export interface Search extends Options {
  readonly guards: Guards;
  /** First seed, and how many. */
  readonly from?: number;
  readonly seeds: number;
  /** Only this one; default any. */
  readonly invariant?: Invariant;
}

/** The first seed that breaks something; null when none does. */
export function search({ guards, from = 0, seeds, invariant, ...options }: Search): Found | null {
  for (let seed = from; seed < from + seeds; seed += 1) {
    const { plan, schedule, violation } = simulate(seed, guards, options);
    if (violation === null || (invariant !== undefined && violation.invariant !== invariant)) continue;
    const calm = violation.invariant === 'unfinished';
    return { seed, violation, failing: { plan, schedule, guards, ignored: options.ignored, calm } };
  }
  return null;
}

/** The shortest schedule that breaks the same. */
export function shortest({ failing, violation }: Found): Replay {
  return { ...failing, schedule: shrink(failing, violation.invariant) };
}

/** What to read, and how to see it again. */
export function explain(found: Found): string {
  const short = shortest(found);
  return [
    `seed ${found.seed} breaks ${found.violation.invariant}; SPINE_SIM_SEED=${found.seed} shows all of its steps.`,
    `${JSON.stringify(short.plan)}`,
    `In ${short.schedule.length} steps of ${found.failing.schedule.length}:`,
    describeSchedule(short),
  ].join('\n');
}
