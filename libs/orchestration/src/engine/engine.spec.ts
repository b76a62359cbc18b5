import { describe, expect, it } from 'vitest';
import { ErrorCategory } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { defineWorkflow } from '../workflow/define.ts';
import type { Step, WorkflowDefinition, WorkflowInput, WorkflowPolicy } from '../workflow/model.ts';
import { StepResult } from '../workflow/step-result.ts';
import { InMemoryWorkflows } from './in-memory.ts';
import type { Attempt } from './executor.ts';

type Handler = (params: JsonObject, attempt: Attempt) => Promise<StepResult> | StepResult;

const call = (name: string, more: Partial<Extract<Step, { kind: 'lambda' }>> = {}): Step => ({
  kind: 'lambda',
  name,
  handler: name,
  ...more,
});

function workflow(steps: readonly Step[], more: Partial<WorkflowInput> = {}): WorkflowDefinition {
  return defineWorkflow({ name: 'test.flow', policy: { mode: 'parallel' }, steps, ...more });
}

/** A world whose handlers answer their params, but for those given. `log` has the calls in order. */
function world(handlers: Readonly<Record<string, Handler>> = {}) {
  const log: string[] = [];
  const engine = new InMemoryWorkflows({
    executor: {
      run: (handler, params, attempt) => {
        log.push(attempt.command.unit);
        return handlers[handler]?.(params, attempt) ?? StepResult.ok(params);
      },
    },
  });
  const statusOf = (run: string, step: string) => engine.state(run).steps.get(step)?.status;
  return { engine, log, statusOf };
}

const transient = (message = 'again') => StepResult.fail(message, { category: ErrorCategory.NETWORK });
const broken = (message = 'broken') => StepResult.fail(message);
const policy = (more: WorkflowPolicy): { policy: WorkflowPolicy } => ({
  policy: { mode: 'parallel', ...more },
});

describe('steps', () => {
  it('hand their outputs on by reference', async () => {
    const { engine } = world({ load: (params) => StepResult.ok({ rows: 2, of: params['week'] ?? null }) });
    const run = engine.start(
      workflow(
        [
          call('load', { params: { week: '{{ params.week }}' } }),
          call('report', {
            dependsOn: ['load'],
            params: { rows: '{{ steps.load.output.rows }}', title: 'week {{ steps.load.output.of }}' },
          }),
        ],
        { defaults: { week: '2026-01-02' } },
      ),
      { week: '2026-01-09' },
    );
    const { status, outputs } = await engine.toEnd(run);
    expect({ status, outputs }).toEqual({
      status: 'completed',
      outputs: { report: { rows: 2, title: 'week 2026-01-09' } },
    });
  });

  it('compute what the documentation says', async () => {
    const definition = defineWorkflow({
      name: 'demo.totals',
      policy: { mode: 'parallel' },
      steps: [
        { kind: 'lambda', name: 'load', handler: 'load' },
        {
          kind: 'map',
          name: 'double',
          dependsOn: ['load'],
          items: '{{ steps.load.output.rows }}',
          iterator: [{ name: 'one', kind: 'lambda', handler: 'double', params: { n: '{{ item }}' } }],
        },
      ],
      outputs: { rows: '{{ steps.double.output.items }}', count: '{{ steps.double.output.count }}' },
    });
    const { engine } = world({
      load: () => StepResult.ok({ rows: [1, 2] }),
      double: (params) => StepResult.ok({ n: Number(params['n']) * 2 }),
    });
    const { outputs } = await engine.toEnd(engine.start(definition));
    expect(outputs).toEqual({ rows: [{ n: 2 }, { n: 4 }], count: 2 });
  });

  it('run one after the other in a sequential workflow', async () => {
    const { engine, log } = world();
    const run = engine.start(workflow([call('a'), call('b'), call('c')], { policy: {} }));
    await engine.toEnd(run);
    expect(log).toEqual(['a', 'b', 'c']);
  });

  it('fail where a reference leads nowhere', async () => {
    const { engine, log } = world();
    const run = engine.start(workflow([call('a', { params: { x: '{{ params.missing }}' } })]));
    const { status, error } = await engine.toEnd(run);
    expect([status, error?.message, log]).toEqual(['failed', '{{ params.missing }} has no value', []]);
  });

  it('are skipped by their condition, by their own word, and go on either way', async () => {
    const { engine, statusOf } = world({ b: () => StepResult.skip('nothing new') });
    const run = engine.start(
      workflow([
        call('a', { when: 'params.n > 5' }),
        call('b', { dependsOn: ['a'] }),
        call('c', { dependsOn: ['b'] }),
      ]),
      { n: 3 },
    );
    await engine.toEnd(run);
    expect(['a', 'b', 'c'].map((step) => statusOf(run, step))).toEqual(['skipped', 'skipped', 'completed']);
  });

  it('with an output that is too large fail', async () => {
    const { engine } = world({ a: () => StepResult.ok({ text: 'x'.repeat(300_000) }) });
    const { error } = await engine.toEnd(engine.start(workflow([call('a')])));
    expect(error?.type).toBe('OutputError');
  });
});

describe('attempts', () => {
  it('are made again by the policy, with its waits', async () => {
    const { engine, log } = world({
      a: (_, { command }) => (command.attempt < 3 ? transient() : StepResult.ok()),
    });
    const retry = { strategy: 'exponential', maxRetries: 3, baseDelaySeconds: 10, jitter: false } as const;
    const run = engine.start(workflow([call('a', { retry })]));
    await engine.toEnd(run);
    expect(log).toEqual(['a', 'a', 'a']);
    expect(engine.time.clock.now().toISOString()).toBe('2026-01-01T00:00:30.000Z');
  });

  it('are not made again for a category that a rule excludes', async () => {
    const { engine, log } = world({ a: () => transient() });
    const retry = { rules: [{ category: ErrorCategory.NETWORK, retry: false }] };
    const { status } = await engine.toEnd(engine.start(workflow([call('a', { retry })])));
    expect([status, log.length]).toEqual(['failed', 1]);
  });

  it('have the default policy under on_error retry', async () => {
    const { engine, log } = world({ a: () => transient() });
    await engine.toEnd(engine.start(workflow([call('a')], policy({ onError: 'retry' }))));
    expect(log).toHaveLength(4);
  });

  it('end with their time, and what they still answer counts for nothing', async () => {
    const { engine } = world({
      a: async (_, attempt) => {
        await attempt.sleep(attempt.command.attempt === 1 ? 100 : 1);
        return StepResult.ok({ attempt: attempt.command.attempt });
      },
    });
    const retry = { maxRetries: 1, baseDelaySeconds: 1 };
    const run = engine.start(workflow([call('a', { timeoutSeconds: 10, retry })]));
    expect((await engine.toEnd(run)).outputs).toEqual({ a: { attempt: 2 } });
  });
});

describe('a failure', () => {
  const steps = [
    call('good', {
      compensate: { kind: 'lambda', handler: 'undo', params: { was: '{{ steps.good.output.id }}' } },
    }),
    call('better', { dependsOn: ['good'], compensate: { kind: 'lambda', handler: 'undo' } }),
    call('bad', { dependsOn: ['better'] }),
    call('never', { dependsOn: ['bad'] }),
  ];
  const handlers = { bad: () => broken(), good: () => StepResult.ok({ id: 7 }) };

  it('stops the run, undoes in reverse order and calls the failure handler', async () => {
    const seen: JsonObject[] = [];
    const { engine, log, statusOf } = world({
      ...handlers,
      undo: (params) => {
        seen.push(params);
        return StepResult.ok();
      },
      alert: (params) => {
        seen.push(params);
        return StepResult.ok();
      },
    });
    const run = engine.start(workflow(steps, policy({ onFailure: { kind: 'lambda', handler: 'alert' } })));
    const { status, step } = await engine.toEnd(run);
    expect([status, step]).toEqual(['failed', 'bad']);
    expect(log).toEqual(['good', 'better', 'bad', 'better!undo', 'good!undo', '!on_failure']);
    expect(seen).toMatchObject([{}, { was: 7 }, { failure: { step: 'bad', error: { message: 'broken' } } }]);
    expect(statusOf(run, 'never') ?? 'pending').toBe('pending');
  });

  it('goes on with continue, and what follows can see it', async () => {
    const { engine, statusOf } = world(handlers);
    const run = engine.start(
      workflow([
        call('bad', { onError: 'continue' }),
        call('next', { dependsOn: ['bad'], when: 'steps.bad.status == "failed"' }),
      ]),
    );
    expect((await engine.toEnd(run)).status).toBe('completed');
    expect(statusOf(run, 'next')).toBe('completed');
  });

  it('of a compensation is tried again, then counted', async () => {
    const { engine, log } = world({ ...handlers, undo: () => transient() });
    const { undoFailures } = await engine.toEnd(engine.start(workflow(steps)));
    expect(undoFailures).toBe(2);
    expect(log.filter((unit) => unit === 'better!undo')).toHaveLength(4);
  });

  it('lets what is running end, and gives up what waits', async () => {
    const { engine, statusOf } = world({
      bad: () => broken(),
      slow: async (_, attempt) => {
        await attempt.sleep(60);
        return StepResult.ok();
      },
    });
    const wait: Step = { kind: 'wait', name: 'wait', wait: { durationSeconds: 86_400 } };
    const run = engine.start(workflow([call('slow'), wait, call('bad')]));
    await engine.toEnd(run);
    expect([statusOf(run, 'slow'), statusOf(run, 'wait')]).toEqual(['completed', 'cancelled']);
    expect(engine.time.clock.now().toISOString()).toBe('2026-01-01T00:01:00.000Z');
  });
});

describe('a choice', () => {
  const steps: Step[] = [
    call('load'),
    {
      kind: 'choice',
      name: 'route',
      dependsOn: ['load'],
      routes: [{ condition: 'steps.load.output.rows > 100', thenStep: 'heavy' }],
      elseStep: 'light',
    },
    call('heavy'),
    call('heavier', { dependsOn: ['heavy'] }),
    call('light'),
    call('join', { dependsOn: ['heavier', 'light'] }),
  ];

  it.each(['parallel', 'sequential'] as const)(
    'takes one way; the others are not taken (%s)',
    async (mode) => {
      const { engine, log, statusOf } = world({ load: () => StepResult.ok({ rows: 5 }) });
      const run = engine.start(workflow(steps, { policy: { mode } }));
      await engine.toEnd(run);
      expect(log).toEqual(['load', 'light', 'join']);
      expect(['heavy', 'heavier'].map((step) => statusOf(run, step))).toEqual(['not_taken', 'not_taken']);
    },
  );

  it('can be a step’s own', async () => {
    const { engine, log } = world({ a: () => StepResult.withNextStep('c') });
    const sequence = [call('a'), call('b'), call('c'), call('d')];
    await engine.toEnd(engine.start(workflow(sequence, { policy: {} })));
    expect(log).toEqual(['a', 'c', 'd']);
  });

  it('of a step that does not follow is a failure', async () => {
    const { engine } = world({ a: () => StepResult.withNextStep('c') });
    const { error } = await engine.toEnd(
      engine.start(workflow([call('a'), call('b', { dependsOn: ['a'] }), call('c')])),
    );
    expect(error?.type).toBe('NextStepError');
  });
});

describe('a wait', () => {
  it('of a week is over at once in virtual time', async () => {
    const { engine } = world();
    const wait: Step = { kind: 'wait', name: 'wait', wait: { durationSeconds: 7 * 86_400 } };
    await engine.toEnd(engine.start(workflow([wait])));
    expect(engine.time.clock.now().toISOString()).toBe('2026-01-08T00:00:00.000Z');
  });

  it('lasts until an instant that a param names', async () => {
    const { engine, statusOf } = world();
    const wait: Step = { kind: 'wait', name: 'wait', wait: { until: '{{ params.at }}' } };
    const run = engine.start(workflow([wait]), { at: '2026-03-01T12:00:00Z' });
    await engine.toEnd(run);
    expect(engine.time.clock.now().toISOString()).toBe('2026-03-01T12:00:00.000Z');
    const wrong = engine.start(workflow([wait]), { at: 'tomorrow' });
    expect((await engine.toEnd(wrong)).error?.message).toContain('RFC 3339');
    expect(statusOf(wrong, 'wait')).toBe('failed');
  });

  it('for a signal takes its data, also of one that came before', async () => {
    const { engine } = world();
    const wait: Step = { kind: 'wait', name: 'wait', wait: { signal: 'files.arrived', timeoutSeconds: 60 } };
    const definition = workflow([call('a'), { ...wait, dependsOn: ['a'] }]);
    const early = engine.start(definition);
    engine.send(early, { type: 'signal', name: 'files.arrived', data: { files: 3 } });
    expect((await engine.toEnd(early)).outputs).toEqual({ wait: { files: 3 } });
    expect((await engine.toEnd(engine.start(definition))).error?.type).toBe('SignalTimeoutError');
  });
});
