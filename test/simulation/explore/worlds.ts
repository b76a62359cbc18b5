/** The small worlds that are explored whole: one run, two workers with a slot each. */
import { RECOMMENDED } from '../model/guards.ts';
import type { Spec } from '../model/row.ts';
import type { Plan } from '../model/world.ts';
import type { Exploration } from './explore.ts';
import type { Fault } from './successors.ts';

export const ALL_FAULTS: readonly Fault[] = [
  'cut',
  'crash',
  'stop',
  'hang',
  'cancel',
  'pause',
  'pause_lane',
  'flush',
  'duplicate_hint',
  'queue_down',
];

type Choice = 'polls' | 'instances' | 'adopts' | 'repeats' | 'early';

interface Small extends Partial<Pick<Plan, Choice>>, Partial<Spec> {
  readonly attempts: number;
  readonly faults: readonly Fault[];
  readonly atMost: number;
}

/** A world with these in it. Times are short, so that there are few moments to tell apart. */
export function small({
  attempts,
  faults,
  atMost,
  polls = false,
  instances = 1,
  adopts = false,
  repeats = false,
  early = false,
  ...spec
}: Small): Exploration {
  const client: Spec = {
    maxAttempts: attempts,
    timeoutMs: 40_000,
    retryDelayMs: 0,
    deadLetter: true,
    runAfterMs: null,
    expiresMs: null,
    deadlineMs: null,
    ...spec,
  };
  return {
    plan: {
      clients: [client],
      workers: 2,
      slots: 1,
      polls,
      skewMs: 0,
      instances,
      adopts,
      repeats,
      early,
      answers: 'prompt',
    },
    guards: RECOMMENDED,
    faults: new Set(faults),
    atMost,
  };
}

export interface Explorable {
  readonly name: string;
  readonly world: Exploration;
}

export const WORLDS: readonly Explorable[] = [
  {
    name: '2 attempts, 2 of each service, no fault but slowness',
    world: small({ attempts: 2, instances: 2, faults: [], atMost: 0 }),
  },
  { name: '1 attempt, a fault of any kind', world: small({ attempts: 1, faults: ALL_FAULTS, atMost: 1 }) },
  {
    name: '2 attempts, a broken connection or a dead worker',
    world: small({ attempts: 2, faults: ['cut', 'crash'], atMost: 1 }),
  },
  {
    name: '1 attempt, 2 of: broken connection, dead worker, stopped worker',
    world: small({ attempts: 1, faults: ['cut', 'crash', 'stop'], atMost: 2 }),
  },
  {
    name: '1 attempt, 2 of: cancel, pause, paused lane, hung attempt',
    world: small({ attempts: 1, faults: ['cancel', 'pause', 'pause_lane', 'hang'], atMost: 2 }),
  },
  {
    name: '1 attempt, 3 of: emptied queue, doubled hint, queue away, dead worker',
    world: small({ attempts: 1, faults: ['flush', 'duplicate_hint', 'queue_down', 'crash'], atMost: 3 }),
  },
  {
    name: '1 attempt, workers that poll, a fault of any kind',
    world: small({ attempts: 1, polls: true, faults: ALL_FAULTS, atMost: 1 }),
  },
  {
    name: '2 attempts, a time to live and a deadline, a stopped or dead worker',
    world: small({
      attempts: 2,
      expiresMs: 10_000,
      deadlineMs: 50_000,
      faults: ['stop', 'crash'],
      atMost: 1,
    }),
  },
  {
    name: '1 attempt, runs stored as claimed, a fault of any kind but those of the queue',
    world: small({
      attempts: 1,
      adopts: true,
      faults: [
        'cut',
        'lost_answer',
        'adopt_and_cancel',
        'crash',
        'stop',
        'hang',
        'cancel',
        'pause',
        'pause_lane',
      ],
      atMost: 1,
    }),
  },
  {
    name: '1 attempt, runs started eagerly whose insert is sent again, a lost COMMIT, dead or stopped worker',
    world: small({
      attempts: 1,
      adopts: true,
      repeats: true,
      faults: ['cut', 'lost_answer', 'crash', 'stop', 'pause_lane'],
      atMost: 1,
    }),
  },
  {
    name: '1 attempt, hints ahead of their rows, an emptied queue, a broken connection or a dead worker',
    world: small({
      attempts: 1,
      early: true,
      timeoutMs: 20_000,
      faults: ['flush', 'cut', 'crash'],
      atMost: 1,
    }),
  },
];
