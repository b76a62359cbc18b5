/** What an advance costs, in records looked at and changed: never in time. */
import { describe, expect, it } from 'vitest';
import { defineWorkflow } from '../workflow/define.ts';
import type { Step } from '../workflow/model.ts';
import { StepResult } from '../workflow/step-result.ts';
import type { WorkflowEvent } from './event.ts';
import { recordsAround } from './around.ts';
import { newWorkflowState, plan, planPartial } from './plan.ts';
import type { WorkflowState } from './state.ts';

const NOW = new Date('2026-01-01T00:00:00Z');
const call = (name: string, dependsOn: readonly string[] = []): Step => ({
  kind: 'lambda',
  name,
  handler: 'work',
  dependsOn,
});

/** Settles every step as soon as it starts; the most records that one advance looked at and changed. */
function costOf(steps: readonly Step[], maxConcurrency: number) {
  const definition = defineWorkflow({
    name: 'test.flow',
    policy: { mode: 'parallel', maxConcurrency },
    steps,
  });
  const tell = (state: WorkflowState, event: WorkflowEvent) => plan(definition, state, event, NOW);
  let { state, commands } = tell(newWorkflowState(), { type: 'started', runId: 'run', params: {} });
  const queue = [...commands];
  let reads = 0;
  let changed = 0;
  let settled = 0;
  for (let at = 0; at < queue.length; at += 1) {
    const command = queue[at];
    if (command?.type !== 'start_step') continue;
    const { unit, attempt } = command;
    const next = tell(state, { type: 'step_settled', unit, attempt, result: StepResult.ok({ n: at }) });
    ({ state, commands } = next);
    queue.push(...commands);
    settled += 1;
    // The last advance gathers the outputs, once in the life of a run.
    if (settled === steps.length) break;
    reads = Math.max(reads, next.reads);
    changed = Math.max(changed, next.changed.steps.length);
  }
  expect(state.head.phase.type).toBe('ended');
  return { reads, changed };
}

const chain = (length: number): Step[] =>
  Array.from({ length }, (_, index) => call(`s${index}`, index === 0 ? [] : [`s${index - 1}`]));
const wide = (count: number): Step[] => Array.from({ length: count }, (_, index) => call(`s${index}`));

describe('an advance', () => {
  it('costs the same after ten finished steps and after ten thousand', () => {
    expect(costOf(chain(10_000), 10)).toEqual(costOf(chain(10), 10));
  });

  it('costs the same with ten ready steps in the queue and with ten thousand', () => {
    expect(costOf(wide(10_000), 2)).toEqual(costOf(wide(10), 2));
  });

  it('needs one reading of a handful of records', () => {
    const definition = defineWorkflow({
      name: 'test.flow',
      policy: { mode: 'parallel' },
      steps: chain(2_000),
    });
    let state = newWorkflowState();
    const tell = (event: WorkflowEvent): void => {
      state = plan(definition, state, event, NOW).state;
    };
    tell({ type: 'started', runId: 'run', params: {} });
    for (let index = 0; index < 1_000; index += 1)
      tell({ type: 'step_settled', unit: `s${index}`, attempt: 1, result: StepResult.ok() });
    const event: WorkflowEvent = { type: 'step_settled', unit: 's1000', attempt: 1, result: StepResult.ok() };
    const { steps } = recordsAround(definition, state.head, event);
    expect(steps).toEqual(['s1000', 's1001']);
    const records = new Map(steps.map((name) => [name, state.steps.get(name) ?? null]));
    const planned = planPartial(
      definition,
      { head: state.head, steps: records, items: new Map() },
      event,
      NOW,
    );
    expect(planned).toMatchObject({ type: 'planned', commands: [{ type: 'start_step', step: 's1001' }] });
  });

  it('of a map looks at one item, whatever the number of items', () => {
    const cost = (count: number): number[] => {
      const map: Step = {
        kind: 'map',
        name: 'each',
        items: '{{ params.items }}',
        maxConcurrency: 10,
        iterator: [{ name: 'work', kind: 'lambda', handler: 'work', params: { n: '{{ item }}' } }],
      };
      const definition = defineWorkflow({ name: 'test.flow', steps: [map] });
      const items = Array.from({ length: count }, (_, index) => index);
      let { state } = plan(
        definition,
        newWorkflowState(),
        { type: 'started', runId: 'run', params: { items } },
        NOW,
      );
      return items.slice(0, 20).map((index) => {
        const next = plan(
          definition,
          state,
          { type: 'map_item_settled', step: 'each', index, attempt: 1, result: StepResult.ok() },
          NOW,
        );
        state = next.state;
        return next.reads + next.changed.items.length;
      });
    };
    expect(cost(10_000)).toEqual(cost(100));
  });
});

describe('a chain of five thousand steps', () => {
  it('that are all skipped settles in one advance', () => {
    const definition = defineWorkflow({
      name: 'test.flow',
      policy: { mode: 'parallel' },
      steps: chain(5_000).map((step) => ({ ...step, when: 'false' })),
    });
    const { state } = plan(
      definition,
      newWorkflowState(),
      { type: 'started', runId: 'run', params: {} },
      NOW,
    );
    expect(state.head).toMatchObject({ phase: { type: 'ended' }, remaining: 0, active: 0 });
  });
});
