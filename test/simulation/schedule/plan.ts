/** From a seed: what a world consists of, and how likely each kind of step is in it. */
import { FAULTS } from '../model/actions.ts';
import type { ActionType } from '../model/actions.ts';
import type { Spec } from '../model/row.ts';
import type { Call, Plan } from '../model/world.ts';
import type { Random } from './random.ts';

export interface Chances {
  readonly plan: Plan;
  readonly steps: number;
  readonly weights: ReadonlyMap<ActionType, number>;
  /** Statements that stay on their way for long, because much happens before them. */
  readonly slow: ReadonlySet<Call['type']>;
}

/** How much less likely a slow statement is the next to be executed. */
export const SLOWNESS = 0.03;

const MAY_BE_SLOW = [
  'submit',
  'commit',
  'claim',
  'settle',
  'heartbeat',
  'event',
  'reap',
  'relay',
  'expire',
  'unhint',
] as const;

/** Relative to each other; per step that is possible, not per kind. */
const WEIGHTS: Readonly<Record<ActionType, number>> = {
  advance: 1.5,
  submit: 3,
  resend: 3,
  resubmit: 1,
  adopt: 1.5,
  adopt_and_cancel: 0.2,
  execute: 6,
  answer: 6,
  cut: 0.8,
  vanish: 1,
  deliver: 2,
  poll: 0.5,
  claim_again: 3,
  expect: 3,
  look: 3,
  end: 0.7,
  settle: 4,
  event: 0.2,
  hang: 0.15,
  heartbeat: 1,
  freeze: 0.25,
  thaw: 0.8,
  crash: 0.12,
  restart: 1.5,
  stop: 0.12,
  exit: 2,
  reap: 2,
  relay: 2,
  expire: 1,
  cancel: 0.05,
  pause: 0.1,
  resume: 0.7,
  pause_lane: 0.05,
  resume_lane: 0.5,
  lose_hint: 0.4,
  duplicate_hint: 0.3,
  flush: 0.1,
  queue_down: 0.05,
  queue_up: 0.5,
};

/**
 * Each world has some kinds of faults and not the others, each rare in one and common in another: a world with all of
 * them at once never gets far enough for the rarer combinations.
 */
export function chancesOf(random: Random): Chances {
  const weights = new Map<ActionType, number>();
  for (const [type, weight] of entriesOf(WEIGHTS)) {
    const factor = FAULTS.has(type) && random.chance(0.5) ? 0 : 0.5 + random.next() * random.next() * 4;
    weights.set(type, weight * factor);
  }
  return {
    plan: planOf(random),
    steps: random.between(40, 160),
    weights,
    slow: new Set(MAY_BE_SLOW.filter(() => random.chance(0.2))),
  };
}

function entriesOf(weights: typeof WEIGHTS): [ActionType, number][] {
  return Object.entries(weights).map(([type, weight]) => [type as ActionType, weight]);
}

function planOf(random: Random): Plan {
  return {
    clients: Array.from({ length: random.between(1, 3) }, () => specOf(random)),
    workers: random.between(2, 5),
    slots: random.between(1, 3),
    polls: random.chance(0.5),
    skewMs: random.pick([0, 300_000]),
    instances: 2,
    adopts: random.chance(0.5),
    repeats: false,
    early: random.chance(0.5),
    answers: 'separate',
  };
}

function specOf(random: Random): Spec {
  return {
    maxAttempts: random.between(1, 5),
    timeoutMs: random.pick([20_000, 60_000, 90_000]),
    retryDelayMs: random.pick([0, 1_000, 10_000]),
    deadLetter: random.chance(0.7),
    runAfterMs: random.chance(0.2) ? 20_000 : null,
    expiresMs: random.chance(0.2) ? 45_000 : null,
    deadlineMs: random.chance(0.2) ? 120_000 : null,
  };
}
