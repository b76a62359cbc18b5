import { describe, expect, it } from 'vitest';
import { ErrorCategory } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { defineWorkflow } from '../workflow/define.ts';
import type { Step, WorkflowDefinition, WorkflowInput } from '../workflow/model.ts';
import { StepResult } from '../workflow/step-result.ts';
import type { Attempt } from './executor.ts';
import { InMemoryWorkflows } from './in-memory.ts';
import type { InMemoryOptions } from './in-memory.ts';

type Answer = JsonObject | StepResult;
type StepFunction = (params: JsonObject, attempt: Attempt) => Answer | Promise<Answer>;

function flow(steps: readonly Step[], more: Partial<WorkflowInput> = {}): WorkflowDefinition {
  return defineWorkflow({ name: 'test.flow', policy: { mode: 'parallel' }, steps, ...more });
}

const call = (name: string, dependsOn: readonly string[] = []): Step => ({
  kind: 'lambda',
  name,
  handler: name,
  dependsOn,
});

function engineWith(
  functions: Readonly<Record<string, StepFunction>>,
  options: Partial<InMemoryOptions> = {},
) {
  return new InMemoryWorkflows({
    executor: {
      run: async (handler, params, attempt) =>
        StepResult.fromValue((await functions[handler]?.(params, attempt)) ?? {}),
    },
    ...options,
  });
}

const statusOf = (engine: InMemoryWorkflows, run: string, step: string): string =>
  engine.state(run).steps.get(step)?.status ?? 'pending';

describe('an approval', () => {
  const ask: Step = {
    kind: 'approval',
    name: 'ask',
    approvers: ['kim', 'lee'],
    autoApprove: ['dev'],
    timeoutSeconds: 3_600,
    message: 'Publish?',
    contextFields: { rows: '{{ params.rows }}' },
  };
  const definition = flow([ask, call('a', ['ask'])]);

  it('asks, and takes the word of an approver alone', async () => {
    const engine = engineWith({});
    const run = engine.start(definition, { rows: 4 });
    engine.send(run, { type: 'approval_decided', step: 'ask', approved: true, by: 'mallory' });
    engine.send(run, { type: 'approval_decided', step: 'ask', approved: true, by: 'lee', comment: 'go' });
    expect((await engine.toEnd(run)).status).toBe('completed');
    expect(engine.state(run).steps.get('ask')?.output).toEqual({
      approved: true,
      by: 'lee',
      comment: 'go',
      automatic: false,
    });
    expect(engine.trace.map(({ ignored }) => ignored)).toContain('mallory is not an approver of step ask');
    expect(engine.trace[0]?.commands).toContainEqual(
      expect.objectContaining({ type: 'ask_approval', message: 'Publish?', fields: { rows: 4 } }),
    );
  });

  it('that is refused, or not given in time, fails the step', async () => {
    const refused = engineWith(
      {},
      { decide: () => ({ approved: false, by: 'kim', comment: 'too few rows' }) },
    );
    const no = await refused.toEnd(refused.start(definition, { rows: 1 }));
    expect(no.error?.message).toBe('step ask: rejected by kim: too few rows');
    const silent = engineWith({});
    const late = await silent.toEnd(silent.start(definition, { rows: 1 }));
    expect([late.error?.category, silent.time.clock.now().toISOString()]).toEqual([
      'TIMEOUT',
      '2026-01-01T01:00:00.000Z',
    ]);
  });

  it('is not asked for where the environment needs none', async () => {
    const engine = engineWith({});
    const run = engine.start(definition, { rows: 1 }, { environment: 'dev' });
    await engine.toEnd(run);
    expect(engine.state(run).steps.get('ask')?.output).toMatchObject({ approved: true, automatic: true });
  });
});

describe('a sub-workflow', () => {
  const child = defineWorkflow({
    name: 'test.child',
    steps: [
      {
        ...call('a'),
        kind: 'lambda',
        handler: 'echo',
        params: { of: '{{ params.of }}', tier: '{{ params.tier }}' },
      },
    ],
    outputs: { answer: '{{ steps.a.output.of }}', tier: '{{ steps.a.output.tier }}' },
  });
  const start = (more: Partial<Extract<Step, { kind: 'workflow' }>> = {}): Step => ({
    kind: 'workflow',
    name: 'sub',
    workflow: 'test.child',
    params: { of: 'parent' },
    ...more,
  });
  const workflow = (name: string): WorkflowDefinition | undefined =>
    name === child.name ? child : undefined;

  it('is given the params of the run, and its outputs are the step’s', async () => {
    const engine = engineWith({ echo: (params) => params }, { workflow });
    const { outputs } = await engine.toEnd(engine.start(flow([start()]), { tier: 'T1' }));
    expect(outputs).toEqual({ sub: { answer: 'parent', tier: 'T1' } });
  });

  it('gets nothing but its own params without inherit_context', async () => {
    const engine = engineWith({ echo: (params) => params }, { workflow });
    const { status } = await engine.toEnd(
      engine.start(flow([start({ inheritContext: false })]), { tier: 'T1' }),
    );
    expect(status).toBe('failed');
  });

  it('that nobody waits for goes on by itself', async () => {
    const engine = engineWith({ echo: () => StepResult.fail('broken') }, { workflow });
    const { status, outputs } = await engine.toEnd(engine.start(flow([start({ wait: false })])));
    expect([status, outputs]).toEqual(['completed', { sub: {} }]);
  });

  it('that takes too long is cancelled, and a new one is started by the policy', async () => {
    const slow: StepFunction = async (_, attempt) => {
      await attempt.sleep(50);
      return {};
    };
    const engine = engineWith({ echo: slow }, { workflow });
    const step = start({ timeoutSeconds: 10, retry: { maxRetries: 1, baseDelaySeconds: 1 } });
    const { status, error } = await engine.toEnd(engine.start(flow([step]), { tier: 'T1' }));
    expect([status, error?.type]).toEqual(['failed', 'TimeoutError']);
    expect(engine.completion('run-1/sub#1')?.status).toBe('cancelled');
    expect(engine.completion('run-1/sub#2')?.status).toBe('cancelled');
  });

  it('that would start itself by way of others fails', async () => {
    const loop = (name: string, next: string): WorkflowDefinition =>
      defineWorkflow({ name, steps: [{ kind: 'workflow', name: 'next', workflow: next }] });
    const all = [loop('test.one', 'test.two'), loop('test.two', 'test.one')] as const;
    const engine = engineWith({}, { workflow: (name) => all.find((each) => each.name === name) });
    const { error } = await engine.toEnd(engine.start(all[0]));
    expect(error?.message).toBe(
      'step next: workflow test.one would start itself by test.one -> test.two -> test.one',
    );
  });

  it('is cancelled with its parent', async () => {
    const engine = engineWith({}, { workflow: () => waiting });
    const waiting = flow([{ kind: 'wait', name: 'wait', wait: { signal: 'never' } }]);
    const run = engine.start(flow([start({ timeoutSeconds: 99_999 })], { name: 'test.parent' }));
    engine.send(run, { type: 'cancel', by: 'kim' });
    expect((await engine.toEnd(run)).status).toBe('cancelled');
    expect(engine.completion('run-1/sub#1')?.status).toBe('cancelled');
  });
});

describe('a run', () => {
  it('starts nothing while it is paused, and takes what ends meanwhile', async () => {
    const engine = engineWith({});
    const run = engine.start(flow([call('a'), call('b', ['a'])]));
    engine.send(run, { type: 'pause' });
    await engine.settle();
    expect([statusOf(engine, run, 'a'), statusOf(engine, run, 'b')]).toEqual(['completed', 'ready']);
    await expect(engine.toEnd(run)).rejects.toThrow('waits for a decision, a signal or to be resumed');
    engine.send(run, { type: 'resume' });
    expect((await engine.toEnd(run)).status).toBe('completed');
  });

  it('ends with its time, whatever it is doing', async () => {
    const wait: Step = { kind: 'wait', name: 'wait', wait: { durationSeconds: 999 } };
    const engine = engineWith({});
    const run = engine.start(flow([wait], { policy: { timeoutSeconds: 10 } }));
    const { status, error } = await engine.toEnd(run);
    expect([status, error?.category, statusOf(engine, run, 'wait')]).toEqual([
      'timed_out',
      'TIMEOUT',
      'cancelled',
    ]);
  });

  it('that is cancelled undoes what it has done; a second word ends it at once', async () => {
    const steps: Step[] = [
      { kind: 'lambda', name: 'a', handler: 'a', compensate: { kind: 'lambda', handler: 'undo' } },
      { kind: 'wait', name: 'wait', dependsOn: ['a'], wait: { signal: 'never' } },
    ];
    const engine = engineWith({
      undo: async (_, attempt) => {
        engine.send(attempt.runId, { type: 'cancel', by: 'kim' });
        await attempt.sleep(10);
        return {};
      },
    });
    const run = engine.start(flow(steps));
    await engine.settle();
    engine.send(run, { type: 'cancel', by: 'kim' });
    const { status, undoFailures } = await engine.toEnd(run);
    expect([status, undoFailures]).toEqual(['cancelled', 1]);
    expect(engine.state(run).steps.get('a')?.undo?.status).toBe('cancelled');
  });

  it('whose outputs lead nowhere has failed', async () => {
    const engine = engineWith({});
    const run = engine.start(flow([call('a')], { outputs: { n: '{{ steps.a.output.n }}' } }));
    const { status, error } = await engine.toEnd(run);
    expect([status, error?.message]).toEqual(['failed', 'outputs: {{ steps.a.output.n }} has no value']);
  });

  it('that stops while a step waits for its next attempt counts that step as failed', async () => {
    const engine = engineWith({
      a: () => StepResult.fail('again', { category: ErrorCategory.NETWORK }),
      b: async (_, attempt) => {
        await attempt.sleep(30);
        return StepResult.fail('broken');
      },
    });
    // The only slot is taken when the next attempt is due: it waits in the queue when the run stops.
    const retry = { maxRetries: 1, baseDelaySeconds: 10, jitter: false };
    const steps: Step[] = [{ kind: 'lambda', name: 'a', handler: 'a', retry }, call('b')];
    const run = engine.start(flow(steps, { policy: { mode: 'parallel', maxConcurrency: 1 } }));
    await engine.toEnd(run);
    expect([statusOf(engine, run, 'a'), engine.state(run).steps.get('a')?.attempt]).toEqual(['failed', 1]);
  });

  it('keeps what steps put into its context', async () => {
    const engine = engineWith({
      a: () => StepResult.ok({}, { contextUpdates: { batch: 'B1' } }),
      echo: (params) => params,
    });
    const echo: Step = {
      kind: 'lambda',
      name: 'b',
      handler: 'echo',
      params: { batch: '{{ context.batch }}' },
    };
    const { outputs } = await engine.toEnd(engine.start(flow([call('a'), echo], { policy: {} })));
    expect(outputs).toMatchObject({ b: { batch: 'B1' } });
  });

  it('takes names that objects have of their own for names', async () => {
    const engine = engineWith({ echo: (params) => params });
    const params = { n: '{{ steps.toString.output.n }}' };
    const steps: Step[] = [
      { kind: 'wait', name: 'toString', wait: { signal: 'hasOwnProperty' } },
      {
        kind: 'lambda',
        name: 'valueOf',
        handler: 'echo',
        dependsOn: ['toString'],
        when: 'steps.toString.output.n > 1.0',
        params,
      },
    ];
    const run = engine.start(flow(steps));
    await engine.settle();
    engine.send(run, { type: 'signal', name: 'constructor', data: {} });
    engine.send(run, { type: 'signal', name: 'isPrototypeOf', data: {} });
    engine.send(run, { type: 'signal', name: 'hasOwnProperty', data: { n: 2 } });
    expect((await engine.toEnd(run)).outputs).toEqual({ valueOf: { n: 2 } });
    expect(engine.trace.map(({ ignored }) => ignored)).toContain('"constructor" is no name of a signal');
  });

  it('takes no more signals than it has room for, and none that is too large', async () => {
    const engine = engineWith({});
    const run = engine.start(flow([{ kind: 'wait', name: 'wait', wait: { signal: 'last' } }]));
    engine.send(run, { type: 'signal', name: 'last', data: { text: 'x'.repeat(300_000) } });
    for (let index = 0; index < 101; index += 1)
      engine.send(run, { type: 'signal', name: `s${index}`, data: {} });
    await engine.settle();
    const ignored = engine.trace.flatMap((entry) => (entry.ignored === null ? [] : [entry.ignored]));
    expect(ignored).toEqual([
      expect.stringContaining('signal last: the value has 300011 characters'),
      'signal s100: the run has 100 different signals already',
    ]);
  });
});
