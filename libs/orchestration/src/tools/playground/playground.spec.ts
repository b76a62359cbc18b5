import { beforeEach, describe, expect, it } from 'vitest';
import { StepResult } from '../../workflow/step-result.ts';
import type { WorkflowInput } from '../../workflow/model.ts';
import { defineWorkflow } from '../../workflow/define.ts';
import { HandlerTable } from '../run/handlers.ts';
import { runInMemory } from '../run/run.ts';
import { WorkflowPlayground } from './playground.ts';

const calls: string[] = [];
const executor = new HandlerTable()
  .add('lambda', 'fetch', () => StepResult.ok({ records: [1, 2, 3, 4, 5] }))
  .add('lambda', 'double', ({ records, factor }) => {
    const rows = Array.isArray(records) ? records : [];
    return StepResult.ok({ doubled: rows.map((row) => Number(row) * Number(factor)) });
  })
  .add('lambda', 'validate', ({ doubled, max }) => {
    const rows = Array.isArray(doubled) ? doubled : [];
    return rows.every((row) => Number(row) <= Number(max))
      ? StepResult.ok({ valid: true })
      : StepResult.fail('values exceed the threshold');
  })
  .add('lambda', 'name', (_params, { command }) => {
    calls.push(command.unit);
    return StepResult.ok({ unit: command.unit });
  });
const debug: WorkflowInput = {
  name: 'debug.pipeline',
  defaults: { factor: 2, max: 8 },
  steps: [
    { kind: 'lambda', name: 'fetch', handler: 'fetch' },
    {
      kind: 'lambda',
      name: 'transform',
      handler: 'double',
      params: { records: '{{ steps.fetch.output.records }}', factor: '{{ params.factor }}' },
    },
    {
      kind: 'lambda',
      name: 'validate',
      handler: 'validate',
      params: { doubled: '{{ steps.transform.output.doubled }}', max: '{{ params.max }}' },
    },
  ],
};

beforeEach(() => void calls.splice(0));

describe('the playground', () => {
  it('goes forth, back, and forth with other params', async () => {
    const playground = new WorkflowPlayground({ executor });
    playground.load(debug);
    expect(playground.peek()).toMatchObject({ type: 'work', unit: 'fetch' });
    expect(await playground.step()).toMatchObject({
      index: 1,
      unit: 'fetch',
      settled: [{ step: 'fetch', status: 'completed' }],
      run: 'running',
    });
    await playground.step();
    expect(await playground.step()).toMatchObject({
      unit: 'validate',
      result: { status: 'fail' },
      run: 'failed',
    });
    expect(playground.peek()).toMatchObject({ type: 'ended', status: 'failed' });

    playground.stepBack();
    playground.stepBack();
    expect(playground.context.outputs).toEqual({ fetch: { records: [1, 2, 3, 4, 5] } });
    playground.setParam('factor', 1);
    expect(playground.peek()).toMatchObject({ unit: 'transform', params: { factor: 1 } });
    expect(playground.remaining).toEqual(['transform', 'validate']);
    await playground.runAll();
    expect(playground.context.statuses.get('validate')).toBe('completed');
    expect(playground.history.map(({ unit, run }) => `${unit} ${run}`)).toEqual([
      'fetch running',
      'transform running',
      'validate completed',
    ]);
  });

  it('begins anew with what it was loaded with', async () => {
    const playground = new WorkflowPlayground({ executor });
    playground.load(debug, { max: 100 });
    playground.setParam('max', 1);
    expect(await playground.runAll()).toHaveLength(3);
    expect(playground.peek()).toMatchObject({ status: 'failed' });
    playground.reset();
    expect(playground.history).toEqual([]);
    expect(playground.stepBack()).toBe(false);
    expect(playground.context.params).toEqual({ factor: 2, max: 100 });
    await playground.runAll();
    expect(playground.peek()).toMatchObject({ status: 'completed', outputs: { validate: { valid: true } } });
  });

  it('goes on to a step', async () => {
    const playground = new WorkflowPlayground({ executor });
    playground.load(debug);
    expect((await playground.runTo('transform')).map(({ unit }) => unit)).toEqual(['fetch', 'transform']);
    expect(playground.remaining).toEqual(['validate']);
    await expect(playground.runTo('nowhere')).rejects.toThrow('there is no step nowhere');
  });

  it('does one thing at a time, and looks at nothing that has not begun', async () => {
    const playground = new WorkflowPlayground({ executor });
    playground.load(
      {
        name: 'wide',
        policy: { mode: 'parallel' },
        steps: ['a', 'b', 'c'].map((name) => ({
          kind: 'lambda',
          name,
          handler: 'name',
          params: { n: '{{ params.n }}' },
        })),
      },
      { n: 1 },
    );
    expect((await playground.step()).params).toEqual({ n: 1 });
    expect(calls).toEqual(['a']);
    playground.setParam('n', 2);
    expect((await playground.step()).params).toEqual({ n: 2 });
    expect(playground.peek()).toMatchObject({ unit: 'c', params: { n: 2 } });
    expect(calls).toEqual(['a', 'b']);
  });

  const long: WorkflowInput = {
    name: 'long',
    policy: { mode: 'parallel' },
    steps: [
      {
        kind: 'choice',
        name: 'size',
        routes: [{ condition: 'params.n > 1', thenStep: 'each' }],
        elseStep: 'other',
      },
      {
        kind: 'map',
        name: 'each',
        items: [10, 20],
        iterator: [{ name: 'item', kind: 'lambda', handler: 'name' }],
      },
      { kind: 'lambda', name: 'other', handler: 'name' },
      { kind: 'wait', name: 'week', wait: { durationSeconds: 604_800 }, dependsOn: ['each'] },
      { kind: 'approval', name: 'ok', approvers: ['risk'], dependsOn: ['week'] },
      { kind: 'wait', name: 'go', wait: { signal: 'go' }, dependsOn: ['ok'] },
      {
        kind: 'workflow',
        name: 'child',
        workflow: 'debug.child',
        dependsOn: ['go'],
        compensate: { kind: 'lambda', handler: 'name' },
      },
      { kind: 'lambda', name: 'boom', handler: 'missing', dependsOn: ['child'] },
    ],
  };

  it('shows choices, items, timers, decisions, children and compensations', async () => {
    const child = defineWorkflow({ ...debug, name: 'debug.child', defaults: { factor: 1, max: 9 } });
    const playground = new WorkflowPlayground({
      executor,
      workflow: (name) => (name === 'debug.child' ? child : undefined),
    });
    playground.load(long, { n: 2 });
    const first = await playground.step();
    expect(first).toMatchObject({ unit: 'each[0]' });
    expect(first.settled.map(({ step, status }) => `${step} ${status}`)).toEqual([
      'size completed',
      'other not_taken',
    ]);
    expect((await playground.step()).settled).toMatchObject([
      { step: 'each', output: { count: 2, succeeded: 2 } },
    ]);
    expect(playground.peek()).toMatchObject({ type: 'timer', at: new Date('2026-01-08T00:00:00Z') });
    expect(await playground.step()).toMatchObject({
      type: 'timer',
      at: new Date('2026-01-08T00:00:00Z'),
      settled: [{ step: 'week' }],
    });
    // It would expire, if nobody decided.
    expect(playground.peek()).toMatchObject({ type: 'timer', approvals: ['ok'] });
    playground.decide('ok', true, 'risk');
    expect(playground.context.outputs['ok']).toMatchObject({ approved: true, by: 'risk' });
    expect(playground.peek()).toEqual({ type: 'waiting', approvals: [], signals: ['go'] });
    expect(await playground.step()).toMatchObject({ type: 'waiting', unit: null });
    playground.signal('go', { from: 'ops' });
    expect(await playground.step()).toMatchObject({
      unit: 'child',
      result: { output: { validate: { valid: true } } },
    });
    const rest = await playground.runAll();
    expect(rest.map(({ unit }) => unit)).toEqual(['boom', 'child!undo']);
    expect(playground.peek()).toMatchObject({ type: 'ended', status: 'failed' });
  });

  it('ends as a run does', async () => {
    const playground = new WorkflowPlayground({ executor });
    for (const max of [1, 100]) {
      playground.load(debug, { max });
      await playground.runAll();
      const { status, outputs } = await runInMemory(defineWorkflow(debug), { executor, params: { max } });
      expect(playground.peek()).toEqual({ type: 'ended', status, outputs });
    }
  });

  it('is empty until something is loaded, and takes no wrong workflow', () => {
    const playground = new WorkflowPlayground({ executor });
    expect(() => playground.peek()).toThrow('load a workflow first');
    expect(() => playground.load({ name: 'w', steps: [] })).toThrow('at least one step');
  });
});
