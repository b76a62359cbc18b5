import { describe, expect, it } from 'vitest';
import type { JsonObject } from '@spine/core';
import { defineWorkflow } from '../workflow/define.ts';
import type { Step, WorkflowInput } from '../workflow/model.ts';
import type { Modification } from '../workflow/modification.ts';
import { StepResult } from '../workflow/step-result.ts';
import type { Attempt } from './executor.ts';
import { forkRun } from './fork.ts';
import { InMemoryWorkflows } from './in-memory.ts';
import { plan } from './plan.ts';

const NOW = new Date('2026-01-01T00:00:00Z');

type StepFunction = (params: JsonObject, attempt: Attempt) => StepResult;

const call = (name: string, dependsOn: readonly string[] = []): Step => ({
  kind: 'lambda',
  name,
  handler: name,
  dependsOn,
});

/** Runs `steps`; the first of them wishes for `modifications`. */
async function run(
  steps: readonly Step[],
  modifications: readonly Modification[],
  more: Partial<WorkflowInput> & { readonly functions?: Readonly<Record<string, StepFunction>> } = {},
) {
  const { functions = {}, ...rest } = more;
  const log: string[] = [];
  const engine = new InMemoryWorkflows({
    executor: {
      run: (handler, params, attempt) => {
        log.push(attempt.command.unit);
        if (attempt.command.unit === steps[0]?.name && attempt.command.attempt === 1)
          return StepResult.ok({ first: true }, { modifications });
        return functions[handler]?.(params, attempt) ?? StepResult.ok(params);
      },
    },
  });
  const id = engine.start(
    defineWorkflow({ name: 'test.flow', policy: { mode: 'parallel' }, steps, ...rest }),
  );
  await engine.settle();
  return { engine, log, id, end: engine.completion(id) };
}

describe('a step may', () => {
  it('leave steps out', async () => {
    const { log } = await run(
      [call('a'), call('b', ['a']), call('c', ['b'])],
      [{ type: 'skip_steps', steps: ['b'] }],
    );
    expect(log).toEqual(['a', 'c']);
  });

  it('insert one before another, which then waits for it', async () => {
    const { log } = await run(
      [call('a'), call('b', ['a']), call('c', ['b'])],
      [{ type: 'insert_step_before', before: 'c', step: call('x') }],
    );
    expect(log).toEqual(['a', 'b', 'x', 'c']);
  });

  it('insert one after itself or another', async () => {
    const { log } = await run(
      [call('a'), call('b', ['a']), call('c', ['b'])],
      [
        { type: 'insert_step_after', after: 'a', step: call('x') },
        { type: 'insert_step_after', after: 'c', step: call('y') },
      ],
    );
    expect(log).toEqual(['a', 'x', 'b', 'c', 'y']);
  });

  it('insert one before a step that a choice may take', async () => {
    const route: Step = {
      kind: 'choice',
      name: 'route',
      dependsOn: ['a'],
      routes: [{ condition: 'true', thenStep: 'b' }],
    };
    const { log } = await run(
      [call('a'), route, call('b')],
      [{ type: 'insert_step_before', before: 'b', step: call('x') }],
    );
    expect(log).toEqual(['a', 'x', 'b']);
  });

  it('insert one after a step that is then not taken: it is not taken either', async () => {
    const routes = [{ condition: 'false', thenStep: 'b' }];
    const route: Step = { kind: 'choice', name: 'route', dependsOn: ['a'], routes };
    const { log, engine, id } = await run(
      [call('a'), route, call('b')],
      [{ type: 'insert_step_after', after: 'b', step: call('x') }],
    );
    expect([log, engine.state(id).steps.get('x')?.status]).toEqual([['a'], 'not_taken']);
  });

  it('replace one that has not begun', async () => {
    const step: Step = { kind: 'lambda', name: 'b', handler: 'other', params: { n: 1 } };
    const { end } = await run([call('a'), call('b', ['a'])], [{ type: 'replace_step', step }]);
    expect(end?.outputs).toEqual({ b: { n: 1 } });
  });

  it('spawn a workflow that nobody waits for', async () => {
    const spawn = {
      type: 'spawn_workflow',
      name: 'part_0',
      workflow: 'test.part',
      params: { n: 0 },
    } as const;
    const { engine } = await run([call('a')], [spawn]);
    expect(engine.trace.flatMap(({ commands }) => commands)).toContainEqual(
      expect.objectContaining({ type: 'start_child', id: 'child:!spawn:part_0#1', wait: false }),
    );
  });

  it('go on as a new run without its history', async () => {
    let rounds = 0;
    const page: StepFunction = (params, attempt) => {
      rounds += 1;
      expect(attempt.command.attempt).toBe(1);
      const cursor = Number(params['cursor']);
      if (cursor === 3) return StepResult.ok(params);
      const next = { type: 'continue_as_new', params: { cursor: cursor + 1 }, keepOutputs: true } as const;
      return StepResult.ok({ read: cursor }, { modifications: [next] });
    };
    const steps: Step[] = [
      { kind: 'lambda', name: 'page', handler: 'page', params: { cursor: '{{ params.cursor }}' } },
    ];
    const engine = new InMemoryWorkflows({
      executor: { run: (_, params, attempt) => page(params, attempt) },
    });
    const id = engine.start(defineWorkflow({ name: 'test.pages', steps }), { cursor: 0 });
    expect((await engine.toEnd(id)).outputs).toEqual({ page: { cursor: 3 } });
    expect(rounds).toBe(4);
    expect(engine.state(id).head.previous).toEqual({ page: { read: 2 } });
  });

  it.each<readonly [string, Modification]>([
    ['there is no step nobody', { type: 'skip_steps', steps: ['nobody'] }],
    ['step a is running already', { type: 'skip_steps', steps: ['a'] }],
    ['there is a step b already', { type: 'insert_step_before', before: 'b', step: call('b') }],
    [
      'names no step',
      {
        type: 'replace_step',
        step: { ...call('b'), kind: 'lambda', handler: 'h', params: { x: '{{ steps }}' } },
      },
    ],
    ['step b is pending', { type: 'retry_step', step: 'b' }],
    [
      'cannot be added',
      { type: 'insert_step_after', after: 'a', step: { kind: 'choice', name: 'x', routes: [] } },
    ],
  ])('not ask for what cannot be done: %s', async (message, modification) => {
    const { end } = await run([call('a'), call('b', ['a'])], [modification]);
    expect([end?.status, end?.error?.type]).toEqual(['failed', 'ModificationError']);
    expect(end?.error?.message).toContain(message);
  });
});

describe('from outside', () => {
  const paused = async (modification: Modification) => {
    const engine = new InMemoryWorkflows({
      executor: { run: (_, params) => StepResult.ok(params) },
    });
    const definition = defineWorkflow({
      name: 'test.flow',
      policy: { mode: 'parallel' },
      steps: [call('a'), call('b'), call('c'), call('d'), call('last', ['b', 'd'])],
    });
    const id = engine.start(definition);
    engine.send(id, { type: 'pause' });
    await engine.settle();
    engine.send(id, { type: 'modified', modification });
    await engine.settle();
    return { engine, id };
  };

  it('a settled step is run again with other params, and what has not begun waits for it', async () => {
    const { engine, id } = await paused({ type: 'retry_step', step: 'a', params: { n: 2 } });
    const before = engine.state(id).steps.get('a');
    expect([before?.status, engine.state(id).head.remaining]).toEqual(['ready', 2]);
    engine.send(id, { type: 'resume' });
    await engine.toEnd(id);
    expect(engine.state(id).steps.get('a')).toMatchObject({
      status: 'completed',
      attempt: 2,
      output: { n: 2 },
    });
  });

  it('what had become ready waits for the step that runs again', async () => {
    const { engine, id } = await paused({ type: 'retry_step', step: 'b' });
    expect(engine.state(id).steps.get('last')).toMatchObject({ status: 'pending', open: 1 });
    engine.send(id, { type: 'resume' });
    await engine.toEnd(id);
    const started = engine.trace.flatMap(({ commands }) => commands.map((command) => command.id));
    expect(started.indexOf('start:last#1')).toBeGreaterThan(started.indexOf('start:b#2'));
  });

  it('a step that runs again has all its attempts again', async () => {
    const engine = new InMemoryWorkflows({
      executor: { run: () => StepResult.fail('again', { category: 'NETWORK' }) },
    });
    const retry = { maxRetries: 1, baseDelaySeconds: 1 };
    const steps: Step[] = [
      { kind: 'lambda', name: 'a', handler: 'a', retry },
      { kind: 'wait', name: 'wait', wait: { signal: 'go' } },
    ];
    const policy = { mode: 'parallel', onError: 'continue' } as const;
    const id = engine.start(defineWorkflow({ name: 'test.flow', policy, steps }));
    await engine.settle();
    engine.send(id, { type: 'modified', modification: { type: 'retry_step', step: 'a' } });
    await engine.settle();
    expect(engine.state(id).steps.get('a')).toMatchObject({ status: 'failed', attempt: 4 });
  });

  it('a step that waits in the queue leaves it, from any place', async () => {
    for (const name of ['a', 'b', 'c', 'd']) {
      const log: string[] = [];
      const engine = new InMemoryWorkflows({
        executor: {
          run: async (_, params, attempt) => {
            log.push(attempt.command.unit);
            await attempt.sleep(1);
            return StepResult.ok(params);
          },
        },
      });
      const definition = defineWorkflow({
        name: 'test.flow',
        policy: { mode: 'parallel', maxConcurrency: 1 },
        steps: [call('first'), ...['a', 'b', 'c', 'd'].map((each) => call(each)), call('late', ['first'])],
      });
      const id = engine.start(definition);
      engine.send(id, {
        type: 'modified',
        modification: { type: 'insert_step_before', before: name, step: call('x') },
      });
      expect((await engine.toEnd(id)).status).toBe('completed');
      const others = ['a', 'b', 'c', 'd'].filter((each) => each !== name);
      expect(log.filter((each) => others.includes(each))).toEqual(others);
      expect(log.indexOf('x')).toBeLessThan(log.indexOf(name));
      expect(log).toHaveLength(7);
    }
  });

  it('what cannot be done changes nothing and says why', async () => {
    const { engine, id } = await paused({ type: 'skip_steps', steps: ['last', 'a'] });
    expect(engine.trace.at(-1)?.ignored).toBe('step a is completed already');
    expect(engine.state(id).steps.get('last')?.status).not.toBe('skipped');
  });
});

describe('a fork', () => {
  it('runs a step and what depends on it again, with other params, and takes the rest over', async () => {
    const ran: string[] = [];
    const engine = new InMemoryWorkflows({
      executor: {
        run: (_, params, attempt) => {
          ran.push(attempt.command.unit);
          return StepResult.ok(params);
        },
      },
    });
    const route: Step = {
      kind: 'choice',
      name: 'route',
      dependsOn: ['b'],
      routes: [{ condition: 'params.n > 1.0', thenStep: 'big' }],
      elseStep: 'small',
    };
    const steps = [call('a'), call('other'), call('b', ['a']), route, call('big'), call('small')];
    const definition = defineWorkflow({ name: 'test.flow', policy: { mode: 'parallel' }, steps });
    const id = engine.start(definition, { n: 1 });
    await engine.toEnd(id);
    const fork = { runId: 'fork', from: 'b', params: { n: 2 } };
    let { state, commands } = forkRun(definition, engine.state(id), fork, NOW).unwrap();
    const again: string[] = [];
    for (let queue = [...commands]; queue.length > 0; queue = [...commands]) {
      commands = queue.flatMap((command) => {
        if (command.type !== 'start_step') return [];
        again.push(command.unit);
        const event = {
          type: 'step_settled',
          unit: command.unit,
          attempt: 1,
          result: StepResult.ok(),
        } as const;
        const planned = plan(definition, state, event, NOW);
        state = planned.state;
        return planned.commands;
      });
    }
    expect(ran).toEqual(['a', 'other', 'b', 'small']);
    expect(again).toEqual(['b', 'big']);
    expect(state.head.phase).toMatchObject({ type: 'ended', outcome: { status: 'completed' } });
    expect(state.steps.get('small')?.status).toBe('not_taken');
    expect(forkRun(definition, state, { ...fork, from: 'nobody' }, NOW).isErr()).toBe(true);
  });

  it('undoes nothing that the other run has done', async () => {
    const engine = new InMemoryWorkflows({ executor: { run: () => StepResult.ok() } });
    const undone: Step = { ...call('a'), compensate: { kind: 'lambda', handler: 'undo' } };
    const definition = defineWorkflow({ name: 'test.flow', steps: [undone, call('b')] });
    const id = engine.start(definition);
    await engine.toEnd(id);
    const { state } = forkRun(definition, engine.state(id), { runId: 'fork', from: 'b' }, NOW).unwrap();
    const failed = {
      type: 'step_settled',
      unit: 'b',
      attempt: 1,
      result: StepResult.fail('broken'),
    } as const;
    expect(plan(definition, state, failed, NOW).commands).toMatchObject([
      { type: 'complete', status: 'failed' },
    ]);
  });

  it('of a run that has failed does again what was cut off', async () => {
    const engine = new InMemoryWorkflows({
      executor: { run: (handler) => (handler === 'bad' ? StepResult.fail('broken') : StepResult.ok()) },
    });
    const wait: Step = { kind: 'wait', name: 'wait', wait: { durationSeconds: 5 } };
    const failing: Step[] = [
      call('a'),
      wait,
      call('worse', ['a']),
      call('bad', ['a']),
      call('last', ['bad', 'wait']),
    ];
    const definition = defineWorkflow({ name: 'test.flow', policy: { mode: 'parallel' }, steps: failing });
    const id = engine.start(definition);
    expect((await engine.toEnd(id)).step).toBe('bad');
    const { commands } = forkRun(
      definition,
      engine.state(id),
      { runId: 'fork', from: 'worse' },
      NOW,
    ).unwrap();
    expect(commands.map((command) => command.id)).toEqual([
      'set:wait#1:wait',
      'start:worse#1',
      'start:bad#1',
    ]);
  });
});
