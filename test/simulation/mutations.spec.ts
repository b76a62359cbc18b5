/**
 * The proof that the simulation can fail: each guard is weakened alone, and some seed shows what it has kept out. The
 * schedule of that seed breaks the same invariant again when it is replayed, and when it is made as short as it goes.
 */
import { describe, expect, it } from 'vitest';
import { BACKED } from './backed.ts';
import { RECOMMENDED } from './model/guards.ts';
import { INVARIANTS } from './model/invariants.ts';
import { MUTATIONS } from './mutations.ts';
import { describeSchedule } from './schedule/describe.ts';
import { explain, search, shortest } from './schedule/search.ts';
import type { Search } from './schedule/search.ts';
import { replay, simulate } from './schedule/simulate.ts';

/** The rarest needs some 3,100. */
const SEEDS = 10_000;
const TIMEOUT = { timeout: 120_000 };
/** As many without a violation count as safe. */
const SAFE = 1_300;

describe('a weakened guard is found:', () => {
  it.for(MUTATIONS)('$name breaks $breaks', TIMEOUT, async (mutation, { annotate }) => {
    const { weakened, breaks, ignoring = [] } = mutation;
    const guards = { ...RECOMMENDED, ...weakened };
    const found = search({ guards, seeds: SEEDS, invariant: breaks, ignored: ignoring });
    if (found === null) throw new Error(`no seed below ${SEEDS} breaks ${breaks}`);
    expect(replay(found.failing).violation).toEqual(found.violation);

    const short = shortest(found);
    await annotate(
      `seed ${found.seed}, ${found.failing.schedule.length} steps, ${short.schedule.length} needed`,
    );
    expect(replay(short).violation?.invariant).toBe(breaks);
    expect(describeSchedule(short)).toContain(INVARIANTS[breaks]);
    for (const step of short.schedule.keys()) {
      const shorter = { ...short, schedule: short.schedule.toSpliced(step, 1) };
      expect(replay(shorter).violation?.invariant, `without step ${step}`).not.toBe(breaks);
    }
  });

  it('every guard is weakened by one of them, and every invariant broken', () => {
    const weakened = new Set([...MUTATIONS, ...BACKED].flatMap((each) => Object.keys(each.weakened)));
    const backstops = ['uniqueTerminalEvent', 'absorbingTrigger'];
    expect(Object.keys(RECOMMENDED).filter((guard) => !weakened.has(guard))).toEqual(backstops);
    const broken = new Set([...MUTATIONS, ...BACKED].map(({ breaks }) => breaks));
    expect(Object.keys(INVARIANTS).filter((name) => ![...broken].some((each) => each === name))).toEqual([]);
  });
});

describe('a guard with another one behind it:', () => {
  it.each(BACKED)('$name: $behind', TIMEOUT, ({ weakened, both, breaks, ignoring = [], polls }) => {
    const guards = { ...RECOMMENDED, ...weakened };
    const asPolls = (on: boolean | undefined): Pick<Search, 'polls'> =>
      on === undefined ? {} : { polls: on };
    const alone = search({ guards, seeds: SAFE, ignored: ignoring, ...asPolls(polls?.alone) });
    expect(alone, alone === null ? '' : explain(alone)).toBeNull();
    const without = { guards: { ...guards, ...both }, seeds: SEEDS, invariant: breaks, ignored: ignoring };
    expect(search({ ...without, ...asPolls(polls?.both) })?.violation.invariant).toBe(breaks);
  });
});

describe('the backstops of the schema', () => {
  const idOnly = { ...RECOMMENDED, settleFence: 'none', settleStatus: false } as const;
  const ignored = ['stale_write', 'legal_transition'] as const;
  const outcomesOf = (guards: typeof idOnly) =>
    Array.from({ length: 300 }, (_, seed) => simulate(seed, guards, { ignored }));

  it('keep a second terminal event out even where a settlement looks at the id only', () => {
    const outcomes = outcomesOf({ ...idOnly, uniqueTerminalEvent: true });
    expect(outcomes.filter(({ violation }) => violation?.invariant === 'one_terminal_event')).toEqual([]);
    expect(outcomes.some(({ world }) => world.refused > 0)).toBe(true);
  });

  it('keep what is over as it is', () => {
    const outcomes = outcomesOf({ ...idOnly, absorbingTrigger: true });
    expect(outcomes.filter(({ violation }) => violation?.invariant === 'terminal_is_absorbing')).toEqual([]);
    expect(outcomes.some(({ world }) => world.refused > 0)).toBe(true);
  });

  it('have nothing to do while the guards are whole', () => {
    const guards = { ...RECOMMENDED, uniqueTerminalEvent: true, absorbingTrigger: true };
    const refused = Array.from({ length: 1_000 }, (_, seed) => simulate(seed, guards).world.refused);
    expect(Math.max(...refused)).toBe(0);
  });
});
