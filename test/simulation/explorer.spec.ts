/**
 * Small worlds, explored whole: in no state is an invariant broken, and from every state there is a calm way to the end.
 * With a guard weakened there are states of the one or the other kind, which are counted.
 */
import { describe, expect, it } from 'vitest';
import { explore } from './explore/explore.ts';
import type { Exploration } from './explore/explore.ts';
import { keyOf } from './explore/key.ts';
import { successors } from './explore/successors.ts';
import { small, WORLDS } from './explore/worlds.ts';
import { RECOMMENDED } from './model/guards.ts';
import type { Guards } from './model/guards.ts';
import type { Invariant } from './model/invariants.ts';
import { newWorld } from './model/world.ts';
import type { World } from './model/world.ts';

const TIMEOUT = { timeout: 300_000 };

describe('with all guards no state is wrong, and none is stuck:', () => {
  it.for(WORLDS)('$name', TIMEOUT, async ({ world }, { annotate }) => {
    const { states, steps, violations, stuck } = explore(world);
    await annotate(`${states} states, ${steps} steps`);
    expect(Object.fromEntries(violations)).toEqual({});
    expect(stuck).toBe(0);
    expect(states).toBeGreaterThan(1_000);
  });
});

interface Weakened {
  readonly name: string;
  readonly weakened: Partial<Guards>;
  readonly world: Exploration;
  /** An invariant that some states break, or states from which no calm way leads to the end. */
  readonly shows: Invariant | 'stuck';
  readonly ignored?: readonly Invariant[];
  /** What else could help is away; with the guard, nothing is stuck without it. */
  readonly without?: Partial<Guards>;
}

const SLOW = small({ attempts: 2, faults: [], atMost: 0 });
const LOST = small({ attempts: 2, faults: ['flush', 'crash'], atMost: 1 });

const ADOPTED = small({ attempts: 1, adopts: true, faults: ['pause_lane', 'adopt_and_cancel'], atMost: 1 });
const UNANSWERED = small({ attempts: 1, adopts: true, faults: ['lost_answer'], atMost: 1 });
const REPEATED = small({ attempts: 1, adopts: true, repeats: true, faults: ['lost_answer'], atMost: 1 });
const EARLY = small({ attempts: 1, early: true, faults: [], atMost: 0 });

const WEAKENED: readonly Weakened[] = [
  { name: 'settle on status only', weakened: { settleFence: 'none' }, world: SLOW, shows: 'stale_write' },
  {
    name: 'settle on id only',
    weakened: { settleFence: 'none', settleStatus: false },
    world: SLOW,
    shows: 'terminal_is_absorbing',
    ignored: ['stale_write'],
  },
  {
    name: 'reaper without re-check',
    weakened: { reapRecheck: 'none' },
    world: SLOW,
    shows: 'terminal_is_absorbing',
  },
  { name: 'no relay', weakened: { relay: false }, world: LOST, shows: 'stuck' },
  { name: 'fixed job ids, finished jobs kept', weakened: { jobIds: 'fixed' }, world: LOST, shows: 'stuck' },
  { name: 'no reaper', weakened: { reaper: false }, world: LOST, shows: 'stuck' },
  {
    name: 'stored as claimed in a paused lane',
    weakened: { adoptLane: false },
    world: ADOPTED,
    shows: 'not_startable',
  },
  {
    name: 'begun although its own transaction has cancelled it',
    weakened: { adoptWithdrawn: false },
    world: ADOPTED,
    shows: 'starts_within_claims',
  },
  {
    name: 'begun before its transaction has committed',
    weakened: { adoptBegins: 'on_insert' },
    world: ADOPTED,
    shows: 'starts_within_claims',
  },
  {
    name: 'nobody looks for runs whose COMMIT went unanswered',
    weakened: { adoptLooks: false },
    without: { reaper: false },
    world: UNANSWERED,
    shows: 'stuck',
  },
  {
    name: 'nobody looks for a run that the insert, sent again, has found',
    weakened: { adoptLooks: false },
    without: { reaper: false },
    world: REPEATED,
    shows: 'stuck',
  },
  {
    name: 'early hints are given up after one look',
    weakened: { earlyLooks: false },
    without: { relay: false },
    world: EARLY,
    shows: 'stuck',
  },
  {
    name: 'early hints are the only ones',
    weakened: { earlySecondHint: false },
    without: { relay: false },
    world: EARLY,
    shows: 'stuck',
  },
];

describe('with a guard weakened there are states that are wrong or stuck:', () => {
  it.for(WEAKENED)(
    '$name: $shows',
    TIMEOUT,
    async ({ weakened, world, shows, ignored = [], without = {} }, { annotate }) => {
      const left = { ...RECOMMENDED, ...without };
      if (Object.keys(without).length > 0) expect(explore({ ...world, guards: left }).stuck).toBe(0);
      const guards = { ...left, ...weakened };
      const { states, violations, stuck } = explore({ ...world, guards, ignored });
      const count = shows === 'stuck' ? stuck : (violations.get(shows) ?? 0);
      await annotate(`${states} states, ${count} of them: ${shows}`);
      expect(count).toBeGreaterThan(0);
    },
  );
});

it.for([
  { name: 'plain', has: {}, states: 10_000 },
  { name: 'with runs stored as claimed, and early hints', has: { adopts: true, early: true }, states: 2_000 },
])('takes for one state only what has one future: $name', TIMEOUT, ({ has, states }) => {
  const { plan, guards, faults } = small({
    attempts: 2,
    faults: ['cut', 'crash', 'duplicate_hint'],
    atMost: 1,
    ...has,
  });
  const futures = new Map<string, string>();
  const futureOf = (world: World): string =>
    successors(world, faults)
      .map((after) => `${after.isFault}${keyOf(after.world)}`)
      .sort()
      .join('\n');
  let open = [newWorld(plan, guards)];
  // States that were come to by a second way, and compared with the first.
  let compared = 0;
  // Without counting faults the world is endless: a part of it is compared.
  while (compared < states && open.length > 0) {
    const next: World[] = [];
    for (const world of open) {
      const key = keyOf(world);
      const known = futures.get(key);
      const future = futureOf(world);
      if (known !== undefined) {
        expect(future).toBe(known);
        compared += 1;
        continue;
      }
      futures.set(key, future);
      next.push(...successors(world, faults).map((after) => after.world));
    }
    open = next;
  }
  expect(compared).toBeGreaterThanOrEqual(states);
});
