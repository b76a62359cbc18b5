import { describe, expect, it } from 'vitest';
import { ErrorCategory } from '@spine/core';
import { defineWorkflow } from '../../workflow/define.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { runInMemory } from '../run/run.ts';
import * as assert from './assertions.ts';
import { FailingRunnable, ScriptedRunnable, StubRunnable } from './executors.ts';
import { makeContext } from './make-context.ts';
import { makeWorkflow } from './make-workflow.ts';

const two = defineWorkflow({
  name: 'two',
  steps: [
    { kind: 'operation', name: 'a', handler: 'x.a', params: { n: 1 } },
    {
      kind: 'operation',
      name: 'b',
      handler: 'x.b',
      retry: { maxRetries: 2 },
      params: { of: '{{ steps.a.output }}' },
    },
  ],
});

describe('runnables', () => {
  it('succeed with what they are told', async () => {
    const executor = new StubRunnable({ 'x.a': { n: 7 } });
    const run = await runInMemory(two, { executor });
    assert.assertWorkflowCompleted(run);
    assert.assertNoFailures(run);
    assert.assertStepOutput(run, 'a', 'n', 7);
    assert.assertStepCount(run, 2);
    expect(executor.calls).toMatchObject([
      { unit: 'a', params: { n: 1 } },
      { handler: 'x.b', params: { of: { n: 7 } } },
    ]);
  });

  it('fail, all or some', async () => {
    assert.assertWorkflowFailed(await runInMemory(two, { executor: new FailingRunnable('no') }), 'a');
    const some = new FailingRunnable('no', { only: ['x.b'], category: ErrorCategory.NETWORK });
    const run = await runInMemory(two, { executor: some });
    assert.assertWorkflowFailed(run, 'b');
    assert.assertStepStatus(run, 'a', 'completed');
    expect(run.steps[1]?.attempts).toBe(3);
  });

  it('follow a script', async () => {
    const flaky = [
      StepResult.fail('reset', { category: ErrorCategory.NETWORK }),
      StepResult.ok({ done: true }),
    ];
    const executor = new ScriptedRunnable({ 'x.a': [StepResult.ok()], 'x.b': [...flaky, StepResult.ok()] });
    const run = await runInMemory(two, { executor });
    assert.assertStepOutput(run, 'b', 'done', true);
    expect(executor.unused).toEqual({ 'x.b': 1 });
    const short = await runInMemory(two, { executor: new ScriptedRunnable({}) });
    expect(short.error?.message).toBe('the script has no answer left for x.a, called by a');
  });
});

describe('assertions', () => {
  it('say what the run did instead', async () => {
    const good = await runInMemory(two, { executor: new StubRunnable({ 'x.a': { n: 7 } }) });
    const bad = await runInMemory(two, { executor: new FailingRunnable('no') });
    const says = (check: () => void, message: string): void => expect(check).toThrow(message);
    says(() => assert.assertWorkflowCompleted(bad), 'workflow two: is failed, not completed (a: no)');
    says(() => assert.assertWorkflowFailed(good), 'is completed, not failed');
    says(() => assert.assertWorkflowFailed(bad, 'b'), 'failed at a, not at b');
    says(() => assert.assertStepStatus(bad, 'b', 'completed'), 'step b is pending, not completed');
    says(() => assert.assertStepStatus(bad, 'c', 'completed'), 'there is no step c');
    says(() => assert.assertStepOutput(good, 'a', 'n', 8), 'step a has n = 7, not 8');
    says(() => assert.assertStepOutput(good, 'a', 'm', 8), 'step a has no m; it has n');
    says(() => assert.assertStepOutput(bad, 'b', 'n', 8), 'step b is pending and has no output');
    says(() => assert.assertStepCount(bad, 2), '1 steps ran, not 2: a');
    says(() => assert.assertNoFailures(bad), 'failed: a (no)');
  });
});

describe('a made context', () => {
  it('has params and outputs', () => {
    const context = makeContext({ day: 1 }, { fetch: { rows: [7] } });
    expect(context.getParam('day')).toBe(1);
    expect(context.getOutput('fetch', 'rows')).toEqual([7]);
    expect(context.hasOutput('store')).toBe(false);
  });
});

describe('a made workflow', () => {
  it('skips time and calls plain functions', async () => {
    const flow = makeWorkflow(
      () => ({ count: 42 }),
      ({ count }: { count: number }) => ({ double: count * 2 }),
    );
    const run = await flow.run();
    assert.assertWorkflowCompleted(run);
    assert.assertStepOutput(run, 'step_2', 'double', 84);
  });
});
