/**
 * The engine's guards in thousands of random worlds: lost answers, dead and frozen workers, an unreliable queue, late
 * statements, operators. See docs/simulation.md.
 *
 * SPINE_SIM_SEEDS: how many worlds. SPINE_SIM_SEED: one of them, step by step; with SPINE_SIM_MUTATION, weakened.
 */
import { describe, expect, it } from 'vitest';
import { TERMINAL_STATUSES } from '@spine/core';
import { FAULTS } from './model/actions.ts';
import type { Action, ActionType } from './model/actions.ts';
import { RECOMMENDED } from './model/guards.ts';
import { MUTATIONS } from './mutations.ts';
import { describeSchedule } from './schedule/describe.ts';
import { HEAL_LIMIT_MS } from './schedule/heal.ts';
import { explain } from './schedule/search.ts';
import { simulate } from './schedule/simulate.ts';
import type { Outcome } from './schedule/simulate.ts';

const SEEDS = Number(process.env['SPINE_SIM_SEEDS'] ?? 10_000);
const SEED = process.env['SPINE_SIM_SEED'];
const MUTATION = process.env['SPINE_SIM_MUTATION'];

/** What the worlds had in them. */
class Census {
  readonly actions = new Set<ActionType>();
  readonly statuses = new Set<string>();
  steps = 0;
  longestCalmMs = 0;

  count({ schedule, world, healMs }: Outcome): void {
    for (const { type } of schedule) this.actions.add(type);
    for (const run of world.runs) if (run !== null) this.statuses.add(run.row.status);
    this.steps += schedule.length;
    this.longestCalmMs = Math.max(this.longestCalmMs, healMs);
  }
}

function failure(seed: number, { plan, schedule, violation }: Outcome): string | null {
  if (violation === null) return null;
  const calm = violation.invariant === 'unfinished';
  return explain({ seed, violation, failing: { plan, schedule, guards: RECOMMENDED, calm } });
}

function keepsItsInvariants(): void {
  it(`keeps every invariant in ${SEEDS} worlds, and ends every run`, { timeout: 300_000 }, () => {
    const census = new Census();
    for (let seed = 0; seed < SEEDS; seed += 1) {
      const outcome = simulate(seed, RECOMMENDED);
      const story = failure(seed, outcome);
      expect(story, story ?? '').toBeNull();
      census.count(outcome);
    }
    // Worlds in which little happens would prove little.
    expect([...FAULTS].filter((fault) => !census.actions.has(fault))).toEqual([]);
    expect(TERMINAL_STATUSES.filter((status) => !census.statuses.has(status))).toEqual([]);
    expect(census.steps).toBeGreaterThan(SEEDS * 50);
    expect(census.longestCalmMs).toBeLessThan(HEAL_LIMIT_MS);
  });

  it('goes the same way for the same seed', () => {
    const once = simulate(7, RECOMMENDED);
    const again = simulate(7, RECOMMENDED);
    expect(again.schedule).toEqual(once.schedule);
    expect(again.world).toEqual(once.world);
    expect(simulate(8, RECOMMENDED).schedule).not.toEqual(once.schedule);
  });
}

function showsSeed(seed: number): void {
  it('is shown step by step', () => {
    const mutation = MUTATIONS.find(({ name }) => name === MUTATION);
    if (MUTATION !== undefined && mutation === undefined) {
      const names = MUTATIONS.map(({ name }) => name).join(', ');
      throw new Error(`SPINE_SIM_MUTATION is ${JSON.stringify(MUTATION)}, and is one of: ${names}`);
    }
    const guards = { ...RECOMMENDED, ...mutation?.weakened };
    const ignored = mutation?.ignoring;
    const { plan, schedule, violation } = simulate(seed, guards, ignored === undefined ? {} : { ignored });
    const steps: readonly Action[] = schedule;
    const calm = violation === null || violation.invariant === 'unfinished';
    process.stdout.write(`${describeSchedule({ plan, schedule: steps, guards, ignored, calm })}\n`);
    expect(violation?.invariant ?? null).toBe(mutation === undefined ? null : mutation.breaks);
  });
}

if (SEED === undefined) describe('with all its guards the engine', keepsItsInvariants);
else describe(`seed ${SEED}`, () => showsSeed(Number(SEED)));
