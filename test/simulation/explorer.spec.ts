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

/** States that were come to by a second way, and compared with the first. */
const COMPARED = 20_000;

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
}

const SLOW = small({ attempts: 2, faults: [], atMost: 0 });
const LOST = small({ attempts: 2, faults: ['flush', 'crash'], atMost: 1 });

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
];

describe('with a guard weakened there are states that are wrong or stuck:', () => {
  it.for(WEAKENED)(
    '$name: $shows',
    TIMEOUT,
    async ({ weakened, world, shows, ignored = [] }, { annotate }) => {
      const guards = { ...RECOMMENDED, ...weakened };
      const { states, violations, stuck } = explore({ ...world, guards, ignored });
      const count = shows === 'stuck' ? stuck : (violations.get(shows) ?? 0);
      await annotate(`${states} states, ${count} of them: ${shows}`);
      expect(count).toBeGreaterThan(0);
    },
  );
});

it('takes for one state only what has one future', TIMEOUT, () => {
  const { plan, guards, faults } = small({
    attempts: 2,
    faults: ['cut', 'crash', 'duplicate_hint'],
    atMost: 1,
  });
  const futures = new Map<string, string>();
  const futureOf = (world: World): string =>
    successors(world, faults)
      .map((after) => `${after.isFault}${keyOf(after.world)}`)
      .sort()
      .join('\n');
  let open = [newWorld(plan, guards)];
  let compared = 0;
  // Without counting faults the world is endless: a part of it is compared.
  while (compared < COMPARED && open.length > 0) {
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
  expect(compared).toBeGreaterThanOrEqual(COMPARED);
});
