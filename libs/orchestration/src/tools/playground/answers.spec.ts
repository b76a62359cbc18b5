import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HandlerRegistry } from '@spine/execution';
import { WorkflowRegistry } from '../../durable/registry.ts';
import { defineWorkflow } from '../../workflow/define.ts';
import { StepResult } from '../../workflow/step-result.ts';
import { HandlerTable } from '../run/handlers.ts';
import { runInMemory } from '../run/run.ts';
import { recordRun } from '../record/recording.ts';
import { answerOf, findAnswerIssues, recordedAnswers } from './answers.ts';
import type { GivenAnswers } from './answers.ts';
import { PLAYGROUND_TAG, PlaygroundHandlers } from './live.ts';
import { WorkflowPlayground } from './playground.ts';

const definition = defineWorkflow({
  name: 'answered',
  steps: [
    { kind: 'lambda', name: 'fetch', handler: 'fetch', retry: { maxRetries: 2 } },
    {
      kind: 'map',
      name: 'each',
      items: [1, 2],
      iterator: [{ name: 'one', kind: 'lambda', handler: 'one', params: { n: '{{ item }}' } }],
      compensate: { kind: 'lambda', handler: 'undo' },
    },
    { kind: 'workflow', name: 'child', workflow: 'some.child' },
    { kind: 'wait', name: 'pause', wait: { durationSeconds: 1 } },
  ],
});
const ok = (n: number) => ({ status: 'ok' as const, output: { n } });

describe('answers', () => {
  it('are given by unit and by attempt, the last one for all that follow', async () => {
    const given: GivenAnswers = {
      fetch: [{ status: 'fail', error: StepResult.fail('once', { retryable: true }).error }, ok(1)],
      each: [ok(2)],
      'each[1]': [ok(3)],
    };
    const answer = (work: Parameters<typeof answerOf>[1]) =>
      answerOf({ given, recorded: null }, work) ?? StepResult.ok({ default: true });
    const playground = new WorkflowPlayground({ executor: new HandlerTable(), answer });
    playground.load(definition);
    await playground.runAll();
    expect(playground.status).toBe('completed');
    expect(playground.context.outputs).toMatchObject({
      fetch: { n: 1 },
      each: { items: [{ n: 2 }, { n: 3 }] },
      child: { default: true },
    });
    expect(playground.history.filter(({ unit }) => unit === 'fetch')).toHaveLength(2);
  });

  it('come out of a recording, with those of sub-workflows, and of nothing that was not recorded', async () => {
    const table = new HandlerTable()
      .add('lambda', 'fetch', () => StepResult.ok({ n: 9 }))
      .add('lambda', 'one', ({ n }) => StepResult.ok({ n: Number(n) * 10 }));
    const child = defineWorkflow({
      name: 'some.child',
      steps: [{ kind: 'lambda', name: 'inner', handler: 'fetch' }],
    });
    const run = await runInMemory(definition, { executor: table, workflow: () => child });
    const recorded = recordedAnswers(recordRun(definition.hash, run), definition);
    expect(recorded.map(({ unit, attempt }) => `${unit}#${attempt}`)).toEqual([
      'fetch#1',
      'each[0]#1',
      'each[1]#1',
      'child#1',
    ]);
    const playground = new WorkflowPlayground({
      executor: new HandlerTable(),
      answer: (work) => answerOf({ given: {}, recorded }, work),
    });
    playground.load(definition);
    await playground.runAll();
    expect(playground.peek()).toEqual({ type: 'ended', status: 'completed', outputs: run.outputs });

    playground.load({ ...definition, steps: [{ kind: 'lambda', name: 'new', handler: 'fetch' }] });
    expect((await playground.step()).result).toMatchObject({ error: { type: 'NotRecorded' } });
  });

  it('for what the workflow does not ask are found', () => {
    const given = Object.fromEntries(
      [
        'fetch',
        'each',
        'each[7]',
        'each!undo',
        'nowhere',
        'fetch!undo',
        'fetch[0]',
        '!on_failure',
        'pause',
        '../x',
      ].map((unit) => [unit, [ok(1)]]),
    );
    expect(findAnswerIssues({ given }, definition).map(({ field }) => field)).toEqual([
      'answers.nowhere',
      'answers.fetch!undo',
      'answers.fetch[0]',
      'answers.!on_failure',
      'answers.pause',
      'answers.../x',
    ]);
  });
});

describe('handlers in a playground', () => {
  const called: string[] = [];
  const handlers = new HandlerRegistry()
    .registerOperation(
      'safe.add',
      { description: 'Adds.', params: z.object({ a: z.number(), b: z.number() }), tags: [PLAYGROUND_TAG] },
      ({ a, b }) => ({ sum: a + b }),
    )
    .registerOperation('unsafe.write', { description: 'Writes.', params: z.object({}) }, () => {
      called.push('unsafe.write');
    });
  new WorkflowRegistry()
    .registerFunction('twice', ({ n }) => ({ n: Number(n) * 2 }), { tags: [PLAYGROUND_TAG] })
    .registerFunction('stores', (_params, ctx) => ctx.transaction(() => Promise.resolve()), {
      tags: [PLAYGROUND_TAG],
    })
    .registerFunction('fails', () => StepResult.fail('no good', { category: 'DATA_QUALITY' }), {
      tags: [PLAYGROUND_TAG],
    })
    .registerFunction('secret', () => {
      called.push('secret');
    })
    .registerHandlers(handlers);
  const live = new PlaygroundHandlers(handlers);
  const run = async (kind: 'lambda' | 'operation', handler: string, params = {}) => {
    const playground = new WorkflowPlayground({ executor: live });
    playground.load({ name: 'live', steps: [{ kind, name: 'it', handler, params }] });
    return (await playground.step()).result;
  };

  it('answer where they are registered as safe, and are not reached where not', async () => {
    expect(await run('operation', 'safe.add', { a: 1, b: 2 })).toEqual({ status: 'ok', output: { sum: 3 } });
    expect(await run('lambda', 'twice', { n: 4 })).toEqual({ status: 'ok', output: { n: 8 } });
    for (const [kind, handler] of [
      ['operation', 'unsafe.write'],
      ['lambda', 'secret'],
      ['lambda', 'safe.add'],
      ['operation', 'lambda.secret'],
    ] as const)
      expect(await run(kind, handler)).toMatchObject({
        status: 'fail',
        error: { type: 'NotSafeForPlayground', retryable: false },
      });
    expect(called).toEqual([]);
  });

  it('fail by their own errors, by wrong params, and when they want a database', async () => {
    expect(await run('lambda', 'fails')).toMatchObject({
      error: { message: 'no good', category: 'DATA_QUALITY' },
    });
    expect(await run('operation', 'safe.add', { a: 'x' })).toMatchObject({
      error: { category: 'VALIDATION' },
    });
    expect(await run('lambda', 'stores')).toMatchObject({ status: 'fail' });
  });

  it('that are not safe are told by field, unless there is an answer', () => {
    const workflow = defineWorkflow({
      name: 'mixed',
      policy: { onFailure: { kind: 'lambda', handler: 'twice' } },
      steps: [
        {
          kind: 'lambda',
          name: 'a',
          handler: 'secret',
          compensate: { kind: 'operation', handler: 'unsafe.write' },
        },
        { kind: 'operation', name: 'b', handler: 'safe.add' },
        { kind: 'workflow', name: 'c', workflow: 'other' },
      ],
    });
    const unsafe = (given: GivenAnswers) =>
      live
        .findUnsafe(workflow, { given, recorded: null })
        .map(({ field }) => field.replace('definition.', ''));
    expect(unsafe({})).toEqual(['steps[0].handler', 'steps[0].compensate.handler', 'steps[2].workflow']);
    expect(unsafe({ a: [ok(1)], 'a!undo': [ok(1)], c: [ok(1)] })).toEqual([]);
  });
});
