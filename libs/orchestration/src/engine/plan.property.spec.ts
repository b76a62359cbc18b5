/**
 * Random workflows under random schedules: settlements in any order, duplicates, plans that were lost before they were
 * saved, states read back from JSON, and the same run planned from parts of its state.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ErrorCategory } from '@spine/core';
import { defineWorkflow } from '../workflow/define.ts';
import type { Step, WorkflowDefinition, WorkflowPolicy } from '../workflow/model.ts';
import type { Modification } from '../workflow/modification.ts';
import { StepResult } from '../workflow/step-result.ts';
import type { Command } from './command.ts';
import type { WorkflowEvent } from './event.ts';
import { newWorkflowState, plan, planPartial } from './plan.ts';
import type { Plan } from './plan.ts';
import { stateFromJson, stateToJson } from './state-json.ts';
import type { ItemState, StepState, WorkflowState } from './state.ts';
import { SETTLED_STATUSES } from './state.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

/** What one step is like; `behaviour` decides how its attempts end. */
interface Sketch {
  readonly kind: 'lambda' | 'wait' | 'choice' | 'map' | 'approval' | 'workflow';
  readonly dependsOn: readonly number[];
  readonly behaviour: 'ok' | 'fail' | 'fail_once' | 'skip';
  readonly compensates: boolean;
  readonly conditional: boolean;
}

const sketch = (index: number): fc.Arbitrary<Sketch> =>
  fc.record({
    kind: fc.constantFrom('lambda', 'lambda', 'lambda', 'wait', 'choice', 'map', 'approval', 'workflow'),
    dependsOn: index === 0 ? fc.constant([]) : fc.uniqueArray(fc.nat(index - 1), { maxLength: 3 }),
    behaviour: fc.constantFrom('ok', 'ok', 'fail_once', 'skip', 'fail'),
    compensates: fc.boolean(),
    conditional: fc.boolean(),
  });

const sketches = fc
  .integer({ min: 1, max: 9 })
  .chain((count) => fc.tuple(...Array.from({ length: count }, (_, index) => sketch(index))));

const nameOf = (index: number): string => `s${index}`;

function stepOf(sketched: Sketch, index: number, all: readonly Sketch[]): Step {
  const [first] = sketched.dependsOn;
  const common = {
    name: nameOf(index),
    dependsOn: sketched.dependsOn.map(nameOf),
    ...(sketched.compensates ? { compensate: { kind: 'lambda', handler: 'undo' } as const } : {}),
    ...(sketched.conditional && first !== undefined
      ? { when: `steps.${nameOf(first)}.status != "skipped"` }
      : {}),
  };
  const retry = { maxRetries: 2, baseDelaySeconds: 1 };
  switch (sketched.kind) {
    case 'lambda':
      return { ...common, kind: 'lambda', handler: 'work', retry };
    case 'wait':
      return { ...common, kind: 'wait', wait: { durationSeconds: index * 100 } };
    case 'choice': {
      // To the steps right behind it, if there are any; else it is just work.
      const [then, otherwise] = [index + 1, index + 2];
      if (otherwise >= all.length) return { ...common, kind: 'lambda', handler: 'work', retry };
      const condition = first === undefined ? 'params.big' : `steps.${nameOf(first)}.status == "completed"`;
      return {
        ...common,
        kind: 'choice',
        routes: [{ condition, thenStep: nameOf(then) }],
        elseStep: nameOf(otherwise),
      };
    }
    case 'map':
      return {
        ...common,
        kind: 'map',
        items: [1, 2, 3],
        maxConcurrency: 2,
        toleratedFailures: 2,
        iterator: [
          { name: 'one', kind: 'lambda', handler: 'work', retry },
          { name: 'two', kind: 'workflow', workflow: 'test.child', timeoutSeconds: 9_999 },
        ],
      };
    case 'approval':
      return { ...common, kind: 'approval', approvers: [] };
    case 'workflow':
      return { ...common, kind: 'workflow', workflow: 'test.child' };
  }
}

const definitionOf = (all: readonly Sketch[], policy: WorkflowPolicy): WorkflowDefinition =>
  defineWorkflow({ name: 'test.flow', policy, steps: all.map(stepOf) });

/** How an attempt ends: a matter of the unit and the attempt alone, never of the order of things. */
function resultOf(all: readonly Sketch[], unit: string, attempt: number): StepResult {
  const index = Number(/^s(\d+)/.exec(unit)?.[1] ?? 0);
  const behaviour = unit.includes('!') ? 'ok' : (all[index]?.behaviour ?? 'ok');
  // Of a map two items misbehave.
  if (unit.includes('[') && !/\[[12]\]$/.test(unit)) return StepResult.ok({ unit });
  if (behaviour === 'fail_once' && attempt === 1)
    return StepResult.fail('once', { category: ErrorCategory.NETWORK });
  if (behaviour === 'skip') return StepResult.skip('nothing to do');
  return behaviour === 'fail' ? StepResult.fail('broken') : StepResult.ok({ unit });
}

interface Trial {
  readonly state: WorkflowState;
  readonly commands: readonly Command[];
  readonly applied: readonly WorkflowEvent[];
}

/** Plays a run to its end; `chance` says what happens next. */
class Play {
  state = newWorkflowState();
  readonly commands: Command[] = [];
  readonly applied: WorkflowEvent[] = [];
  /** What the outside owes an answer to, by command id. */
  readonly pending = new Map<string, WorkflowEvent>();
  readonly #all: readonly Sketch[];
  readonly #definition: WorkflowDefinition;
  readonly #onPlan: (before: WorkflowState, planned: Plan, event: WorkflowEvent) => void;

  constructor(
    all: readonly Sketch[],
    definition: WorkflowDefinition,
    onPlan: (before: WorkflowState, planned: Plan, event: WorkflowEvent) => void = () => undefined,
  ) {
    this.#all = all;
    this.#definition = definition;
    this.#onPlan = onPlan;
  }

  tell(event: WorkflowEvent): Plan {
    const before = this.state;
    const planned = plan(this.#definition, before, event, NOW);
    this.#onPlan(before, planned, event);
    this.state = planned.state;
    if (planned.ignored === null) this.applied.push(event);
    for (const command of planned.commands) {
      this.commands.push(command);
      this.#owe(command);
    }
    return planned;
  }

  run(chance: fc.Stream<number>, extra: (play: Play, draw: () => number) => void = () => undefined): Trial {
    const draw = (): number => {
      const next = chance.next();
      return next.done === true ? 0 : next.value;
    };
    this.tell({ type: 'started', runId: 'run', params: { big: true } });
    for (let turns = 0; this.pending.size > 0; turns += 1) {
      if (turns > 5_000) throw new Error('the run does not end');
      extra(this, draw);
      const entries = [...this.pending];
      const entry = entries[draw() % Math.max(entries.length, 1)];
      if (entry === undefined) break;
      this.pending.delete(entry[0]);
      this.tell(entry[1]);
    }
    return { state: this.state, commands: this.commands, applied: this.applied };
  }

  #owe(command: Command): void {
    switch (command.type) {
      case 'start_step':
      case 'start_item':
      case 'compensate_step':
      case 'run_on_failure': {
        const { unit, attempt } = command;
        const result = resultOf(this.#all, unit, attempt);
        this.pending.set(`${unit}#${attempt}`, { type: 'step_settled', unit, attempt, result });
        return;
      }
      case 'start_child': {
        const { unit, attempt } = command;
        const event = { type: 'child_settled', unit, attempt, outputs: { unit }, error: null } as const;
        this.pending.set(`${unit}#${attempt}`, { ...event, status: 'completed' });
        return;
      }
      case 'set_timer':
        // Time-outs are nobody's turn here: whether they come first is a matter of order.
        if (/:(?:retry|wait)$/.test(command.timer))
          this.pending.set(command.timer, { type: 'timer_fired', timer: command.timer });
        return;
      case 'clear_timer':
        this.pending.delete(command.timer);
        return;
      case 'cancel_step':
        this.pending.delete(`${command.unit}#${command.attempt}`);
        return;
      case 'cancel_child': {
        // It undoes what it has done; some have completed before they hear of it.
        const { unit, attempt } = command;
        const event = { type: 'child_settled', unit, attempt, outputs: { unit }, error: null } as const;
        const status = attempt % 2 === 0 ? 'completed' : 'cancelled';
        this.pending.set(`${unit}#${attempt}`, { ...event, status });
        return;
      }
      case 'cancel_detached':
        return;
      case 'ask_approval':
        this.pending.set(command.id, {
          type: 'approval_decided',
          step: command.step,
          approved: true,
          by: 'a',
        });
        return;
      case 'withdraw_approval':
        this.pending.delete(`approve:${command.unit}#${command.attempt}`);
        return;
      case 'complete':
        return;
    }
  }
}

/** What does not depend on the order in which things happened. */
function result(state: WorkflowState) {
  const steps = state.steps.entries().map(([name, step]) => {
    const { status, output, error, reason, chosen, attempt } = step;
    return [name, { status, output, error, reason, chosen, attempt }] as const;
  });
  return { phase: state.head.phase, steps: Object.fromEntries(steps) };
}

const chances = fc.infiniteStream(fc.nat(1_000_000));
const goingOn: WorkflowPolicy = { mode: 'parallel', onError: 'continue' };
const limits = fc.record({ maxConcurrency: fc.integer({ min: 1, max: 4 }), sequential: fc.boolean() });

describe('any schedule', () => {
  it('ends in the same state, with duplicates, lost plans and states read back', () => {
    fc.assert(
      fc.property(sketches, limits, chances, chances, (all, { maxConcurrency, sequential }, one, other) => {
        const policy: WorkflowPolicy = {
          onError: 'continue',
          mode: sequential ? 'sequential' : 'parallel',
          maxConcurrency,
        };
        const definition = definitionOf(all, policy);
        const calm = new Play(all, definition).run(one);
        const rough = new Play(all, definition).run(other, (play, draw) => {
          if (draw() % 3 === 0) {
            const again = play.applied[draw() % play.applied.length];
            if (again !== undefined && again.type !== 'started')
              expect(play.tell(again).state, 'a duplicate changes nothing').toBe(play.state);
          }
          if (draw() % 3 === 0)
            play.state = stateFromJson(JSON.parse(JSON.stringify(stateToJson(play.state))));
        });
        expect(calm.state.head.phase.type).toBe('ended');
        expect(result(rough.state)).toEqual(result(calm.state));
      }),
      { numRuns: 150 },
    );
  });

  it('settles every step once, each after those it waits for, within the limit, with ids that are unique', () => {
    fc.assert(
      fc.property(sketches, limits, chances, (all, { maxConcurrency }, chance) => {
        const definition = definitionOf(all, { ...goingOn, maxConcurrency });
        const settled = new Set<string>();
        const started = new Set<string>();
        const play = new Play(all, definition, (before, planned) => {
          for (const name of planned.changed.steps) {
            const was = before.steps.get(name)?.status ?? 'pending';
            const is = planned.state.steps.get(name)?.status ?? 'pending';
            if (SETTLED_STATUSES.has(was)) expect([name, is]).toEqual([name, was]);
            else if (SETTLED_STATUSES.has(is)) settled.add(name);
          }
          for (const command of planned.commands) {
            if (command.type !== 'start_step' || started.has(command.step)) continue;
            started.add(command.step);
            const step = definition.steps.find(({ name }) => name === command.step);
            for (const needed of step?.dependsOn ?? []) expect(settled, command.step).toContain(needed);
          }
          const { running, active, remaining } = planned.state.head;
          expect(running).toBeLessThanOrEqual(maxConcurrency);
          expect(running).toBeLessThanOrEqual(active);
          expect(remaining + settled.size).toBe(all.length);
        });
        const { commands } = play.run(chance);
        const ids = commands.map((command) => command.id);
        expect(new Set(ids).size).toBe(ids.length);
        expect(commands.filter((command) => command.type === 'complete')).toHaveLength(1);
      }),
      { numRuns: 100 },
    );
  });

  it('is planned the same from parts of the state', () => {
    fc.assert(
      fc.property(sketches, chances, (all, chance) => {
        const definition = definitionOf(all, { mode: 'parallel', onError: 'retry' });
        const check = (before: WorkflowState, whole: Plan, event: WorkflowEvent): void => {
          const steps = new Map<string, StepState | null>();
          const items = new Map<string, ItemState | null>();
          for (;;) {
            const part = planPartial(definition, { head: before.head, steps, items }, event, NOW);
            if (part.type === 'planned') {
              expect([part.commands, part.head]).toEqual([whole.commands, whole.state.head]);
              expect([...part.steps.keys()]).toEqual(whole.changed.steps);
              return;
            }
            for (const name of part.steps) {
              expect(steps.has(name), `${name} was given`).toBe(false);
              steps.set(name, before.steps.get(name) ?? null);
            }
            for (const key of part.items) {
              expect(items.has(key), `${key} was given`).toBe(false);
              items.set(key, before.items.get(key) ?? null);
            }
          }
        };
        new Play(all, definition, check).run(chance);
      }),
      { numRuns: 40 },
    );
  });
});

describe('a failure for good', () => {
  it('starts nothing after it, and undoes what was completed in reverse order', () => {
    fc.assert(
      fc.property(sketches, chances, (all, chance) => {
        const definition = definitionOf(all, { mode: 'parallel', onError: 'stop' });
        const completed: string[] = [];
        const undone: string[] = [];
        const play = new Play(all, definition, (before, planned) => {
          const stopped = before.head.phase.type !== 'running' && before.head.phase.type !== 'new';
          for (const command of planned.commands) {
            if (command.type === 'compensate_step') undone.push(command.step);
            const starts = ['start_step', 'start_item', 'start_child', 'ask_approval'].includes(command.type);
            expect(starts && stopped, `${command.id} after the failure`).toBe(false);
          }
          for (const name of planned.changed.steps) {
            const is = planned.state.steps.get(name);
            if (is?.undoable === true && before.steps.get(name)?.undoable !== true) completed.push(name);
          }
        });
        const { state } = play.run(chance);
        expect(state.head.phase.type).toBe('ended');
        const failed = state.head.phase.type === 'ended' && state.head.phase.outcome.status === 'failed';
        expect(undone).toEqual(failed ? completed.reverse() : []);
        expect(state.head.active).toBe(0);
        for (const [name, { status }] of state.steps.entries())
          expect(SETTLED_STATUSES.has(status) || status === 'pending', `${name} is ${status}`).toBe(true);
      }),
      { numRuns: 150 },
    );
  });
});

describe('cancelling', () => {
  it('ends the run whatever it is doing, and leaves nothing behind', () => {
    fc.assert(
      fc.property(sketches, fc.nat(12), chances, (all, after, chance) => {
        const below = new Set<string>();
        const watch = (_before: WorkflowState, { commands }: Plan, event: WorkflowEvent): void => {
          if (event.type === 'child_settled') below.delete(event.unit);
          for (const command of commands) {
            if (command.type === 'cancel_child') below.add(command.unit);
            // Nothing is undone, nothing ends, and nothing is made again over what is half undone.
            if (command.type === 'compensate_step' || command.type === 'complete') expect(below.size).toBe(0);
            if (command.type === 'start_child') expect(below).not.toContain(command.unit);
          }
        };
        const play = new Play(all, definitionOf(all, { mode: 'parallel', timeoutSeconds: 60 }), watch);
        let turn = 0;
        play.run(chance, () => {
          turn += 1;
          // Of three words two come from outside, one from the run that has started it.
          const givenUp = turn % 3 === 0 ? ({ givenUp: true } as const) : {};
          if (turn > after) play.tell({ type: 'cancel', by: 'somebody', ...givenUp });
        });
        if (play.state.head.phase.type !== 'ended') play.tell({ type: 'cancel', by: 'somebody' });
        expect(play.state.head.phase.type).toBe('ended');
        expect([play.state.head.active, play.state.head.running, play.pending.size]).toEqual([0, 0, 0]);
      }),
      { numRuns: 100 },
    );
  });
});

const anyModification = (count: number): fc.Arbitrary<Modification> => {
  const step = fc.nat(count - 1).map(nameOf);
  const added = fc.nat(3).map((index): Step => ({ kind: 'lambda', name: `x${index}`, handler: 'work' }));
  const target = fc.oneof(step, fc.constantFrom('x0', 'x1'));
  return fc.oneof(
    fc.record({ type: fc.constant('skip_steps' as const), steps: fc.array(target, { maxLength: 2 }) }),
    fc.record({ type: fc.constant('insert_step_before' as const), before: target, step: added }),
    fc.record({ type: fc.constant('insert_step_after' as const), after: target, step: added }),
    fc.record({ type: fc.constant('retry_step' as const), step: target }),
    step.map((name): Modification => ({
      type: 'replace_step',
      step: { kind: 'lambda', name, handler: 'work' },
    })),
  );
};

describe('a run that is changed, paused and resumed at random', () => {
  it('still ends with every step settled and nothing left behind', () => {
    const worlds = sketches.chain((all) =>
      fc.tuple(
        fc.constant(all),
        fc.array(fc.tuple(fc.nat(10), anyModification(all.length)), { maxLength: 6 }),
        fc.uniqueArray(fc.nat(10), { maxLength: 2 }),
      ),
    );
    let counted = 0;
    fc.assert(
      fc.property(worlds, chances, ([all, changes, pauses], chance) => {
        const play = new Play(all, definitionOf(all, { ...goingOn, maxConcurrency: 2 }));
        let turn = 0;
        play.run(chance, () => {
          turn += 1;
          if (pauses.includes(turn)) play.tell({ type: 'pause' });
          for (const [at, modification] of changes)
            if (at === turn && play.tell({ type: 'modified', modification }).ignored === null) counted += 1;
          if (play.state.head.paused && (turn % 3 === 0 || play.pending.size === 1))
            play.tell({ type: 'resume' });
        });
        // What is paused last has nothing to go on by itself.
        play.tell({ type: 'resume' });
        play.run(chance);
        const { head, steps } = play.state;
        expect(head).toMatchObject({
          phase: { type: 'ended' },
          remaining: 0,
          active: 0,
          running: 0,
          maps: [],
        });
        expect([head.slotQueue.first, head.freeQueue.first]).toEqual([null, null]);
        for (const [name, { status }] of steps.entries())
          expect(SETTLED_STATUSES.has(status), `${name} is ${status}`).toBe(true);
        const ids = play.commands.map((command) => command.id);
        expect(new Set(ids).size).toBe(ids.length);
      }),
      { numRuns: 150 },
    );
    expect(counted).toBeGreaterThan(50);
  });
});

const names = fc.constantFrom(
  's0',
  's1',
  's2',
  's0[0]',
  's1!undo',
  '!on_failure',
  'nobody',
  '__proto__',
  '',
  'x#1',
);
const anyEvent: fc.Arbitrary<WorkflowEvent> = fc.oneof(
  fc.record({
    type: fc.constant('step_settled' as const),
    unit: names,
    attempt: fc.integer({ min: -1, max: 3 }),
    result: fc.constantFrom<StepResult>(
      StepResult.ok({ a: 1 }),
      StepResult.fail('no'),
      StepResult.skip('no'),
      StepResult.withNextStep('s2'),
      StepResult.ok({}, { modifications: [{ type: 'skip_steps', steps: ['s2', 'nobody'] }] }),
    ),
  }),
  fc.record({ type: fc.constant('timer_fired' as const), timer: names.map((name) => `${name}#1:retry`) }),
  fc.record({
    type: fc.constant('approval_decided' as const),
    step: names,
    approved: fc.boolean(),
    by: fc.constant('a'),
  }),
  fc.record({ type: fc.constant('signal' as const), name: names, data: fc.constant({}) }),
  fc.constantFrom<WorkflowEvent>(
    { type: 'pause' },
    { type: 'resume' },
    { type: 'cancel', by: 'a' },
    { type: 'modified', modification: { type: 'retry_step', step: 's0' } },
    { type: 'modified', modification: { type: 'continue_as_new', params: {}, keepOutputs: true } },
    { type: 'started', runId: 'run', params: {} },
  ),
);

describe('any event in any state', () => {
  it('is answered without throwing; what counts for nothing changes nothing', () => {
    fc.assert(
      fc.property(sketches, fc.array(anyEvent, { maxLength: 40 }), (all, events) => {
        const play = new Play(all, definitionOf(all, { mode: 'parallel', maxConcurrency: 2 }));
        for (const event of events) {
          const before = play.state;
          const planned = play.tell(event);
          if (planned.ignored !== null) expect(planned.state).toBe(before);
          expect(planned.state.head.remaining).toBeGreaterThanOrEqual(0);
          expect(planned.state.head.active).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 150 },
    );
  });
});
