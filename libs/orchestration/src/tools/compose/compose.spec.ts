import { describe, expect, it } from 'vitest';
import { defineWorkflow } from '../../workflow/define.ts';
import type { Step, WorkflowInput } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { HandlerTable } from '../run/handlers.ts';
import { runInMemory } from '../run/run.ts';
import { chain, conditional, mergeWorkflows, parallel, retry } from './compose.ts';

const step = (name: string, more: object = {}): Step => ({
  kind: 'operation',
  name,
  handler: 'x.do',
  ...more,
});
const edges = (workflow: WorkflowInput): object =>
  Object.fromEntries(workflow.steps.map(({ name, dependsOn }) => [name, dependsOn ?? []]));
const run = async (workflow: WorkflowInput, params = {}): Promise<{ status: string; ran: string[] }> => {
  const ran: string[] = [];
  const executor = new HandlerTable().add('operation', 'x.do', (_params, { command }) => {
    ran.push(command.unit);
    return StepResult.ok({ by: command.unit });
  });
  const { status } = await runInMemory(defineWorkflow(workflow), { executor, params });
  return { status, ran };
};

describe('a chain', () => {
  it('of steps and lists is a list', async () => {
    const workflow = chain('outer', step('a'), chain('inner', step('b'), step('c')), step('d'));
    expect(workflow.policy).toBeUndefined();
    expect(await run(workflow)).toEqual({ status: 'completed', ran: ['a', 'b', 'c', 'd'] });
  });

  it('with branches is a graph', async () => {
    const workflow = chain(
      'outer',
      step('a'),
      parallel('inner', step('b'), chain('two', step('c'), step('d'))),
      step('e'),
    );
    expect(edges(workflow)).toEqual({ a: [], b: ['a'], c: ['a'], d: ['c'], e: ['b', 'd'] });
    expect((await run(workflow)).ran).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  it('lets parts refer to steps of others', async () => {
    const reader = step('b', { params: { by: '{{ steps.a.output.by }}' } });
    expect((await run(chain('w', step('a'), parallel('inner', reader)))).status).toBe('completed');
  });
});

describe('a condition', () => {
  const workflow = chain(
    'w',
    step('a'),
    conditional('inner', {
      condition: 'params.n > 1',
      then: chain('two', step('b'), step('c')),
      otherwise: step('d'),
    }),
    step('e'),
  );

  it('takes one part or the other', async () => {
    expect((await run(workflow, { n: 2 })).ran).toEqual(['a', 'b', 'c', 'e']);
    expect((await run(workflow, { n: 1 })).ran).toEqual(['a', 'd', 'e']);
  });

  it('leads to one step', () => {
    const both = parallel('both', step('b'), step('c'));
    expect(() => conditional('w', { condition: 'true', then: both })).toThrow('then: begins with 2 steps');
  });
});

describe('retry', () => {
  it('is of a step, or of the steps of a workflow', () => {
    const policy = { maxRetries: 4 };
    expect(retry('w', step('a'), policy).steps[0]).toMatchObject({ retry: policy });
    expect(retry('w', chain('v', step('a')), policy)).toMatchObject({
      name: 'w',
      policy: { onError: 'retry', retry: policy },
    });
    expect(() => retry('w', { kind: 'wait', name: 'w', wait: { durationSeconds: 1 } }, policy)).toThrow(
      'is a wait',
    );
  });

  it('stays with the steps when the workflow becomes a part', () => {
    const inner = retry('inner', chain('v', step('a'), step('b', { retry: { maxRetries: 9 } })), {
      maxRetries: 4,
    });
    expect(chain('w', inner).steps).toMatchObject([
      { onError: 'retry', retry: { maxRetries: 4 } },
      { onError: 'retry', retry: { maxRetries: 9 } },
    ]);
    expect(parallel('w', inner).steps[0]).toMatchObject({ onError: 'retry', retry: { maxRetries: 4 } });
  });
});

describe('a merge', () => {
  it('has all steps side by side, defaults and tags of all', async () => {
    const one = { ...chain('one', step('a'), step('b')), tags: ['x', 'y'], defaults: { day: 1 } };
    const two = { ...chain('two', step('c')), tags: ['y', 'z'], defaults: { day: 1, hour: 2 } };
    const merged = mergeWorkflows('both', one, two);
    expect(merged).toMatchObject({ tags: ['x', 'y', 'z'], defaults: { day: 1, hour: 2 } });
    expect(edges(merged)).toEqual({ a: [], b: ['a'], c: [] });
    expect((await run(merged)).status).toBe('completed');
  });

  it('refuses what it would have to drop or rename', () => {
    const one = chain('one', step('a'));
    const bad =
      (more: Partial<WorkflowInput>): (() => unknown) =>
      () =>
        mergeWorkflows('both', one, { ...chain('two', step('b')), ...more });
    expect(bad({ policy: { timeoutSeconds: 5 } })).toThrow(
      'part two: has policy.timeout_seconds, which holds for a whole run',
    );
    expect(bad({ policy: { onFailure: { kind: 'lambda', handler: 'f' } } })).toThrow('policy.on_failure');
    expect(bad({ outputs: {} })).toThrow('outputs');
    const choice: Step = { kind: 'choice', name: 'c', routes: [{ condition: 'true', thenStep: 'b' }] };
    expect(bad({ steps: [choice, step('b')] })).toThrow('a sequential workflow with a choice');
    expect(() =>
      mergeWorkflows('both', { ...one, defaults: { n: 1 } }, { ...one, name: 'two', defaults: { n: 2 } }),
    ).toThrow('part two: has another default of n than one');
    expect(() => defineWorkflow(mergeWorkflows('both', one, one))).toThrow('names are unique');
  });
});
