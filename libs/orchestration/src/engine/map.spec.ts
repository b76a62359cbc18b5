import { describe, expect, it } from 'vitest';
import { ErrorCategory } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { defineWorkflow } from '../workflow/define.ts';
import type { Step, WorkflowDefinition } from '../workflow/model.ts';
import { StepResult } from '../workflow/step-result.ts';
import { InMemoryWorkflows } from './in-memory.ts';
import type { Attempt } from './executor.ts';

type Handler = (params: JsonObject, attempt: Attempt) => Promise<StepResult> | StepResult;

const workflow = (steps: readonly Step[]): WorkflowDefinition =>
  defineWorkflow({ name: 'test.flow', policy: { mode: 'parallel' }, steps });

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
  return { engine, log };
}

const transient = (message: string) => StepResult.fail(message, { category: ErrorCategory.NETWORK });

describe('a map', () => {
  const map = (more: Partial<Extract<Step, { kind: 'map' }>> = {}): Step => ({
    kind: 'map',
    name: 'each',
    items: '{{ params.items }}',
    iterator: [
      { name: 'double', kind: 'lambda', handler: 'double', params: { n: '{{ item }}' } },
      {
        name: 'label',
        kind: 'lambda',
        handler: 'label',
        params: { n: '{{ stages.double.n }}', at: '{{ index }}' },
      },
    ],
    ...more,
  });
  const double: Handler = (params) => StepResult.ok({ n: Number(params['n']) * 2 });

  it('runs its iterator for each item and keeps their order', async () => {
    const { engine } = world({ double });
    const { outputs } = await engine.toEnd(engine.start(workflow([map()]), { items: [1, 2, 3] }));
    expect(outputs['each']).toMatchObject({
      count: 3,
      items: [
        { n: 2, at: 0 },
        { n: 4, at: 1 },
        { n: 6, at: 2 },
      ],
    });
  });

  it('keeps to its concurrency', async () => {
    let running = 0;
    let most = 0;
    const { engine } = world({
      double: async (params, attempt) => {
        most = Math.max(most, (running += 1));
        await attempt.sleep(1 + (Number(params['n']) % 3));
        running -= 1;
        return StepResult.ok({ n: 1 });
      },
    });
    const items = Array.from({ length: 40 }, (_, index) => index);
    await engine.toEnd(engine.start(workflow([map({ maxConcurrency: 4 })]), { items }));
    expect(most).toBe(4);
  });

  it('takes its items from an expression, and partitions them', async () => {
    const { engine } = world();
    const step = map({
      items: 'params.rows.filter(row, row.shares > 10.0)',
      partitionBy: 'venue',
      iterator: [
        {
          name: 'count',
          kind: 'lambda',
          handler: 'count',
          params: { venue: '{{ item.key }}', rows: '{{ item.items }}' },
        },
      ],
    });
    const rows = [
      { venue: 'A', shares: 11 },
      { venue: 'B', shares: 12 },
      { venue: 'A', shares: 13 },
      { venue: 'A', shares: 1 },
    ];
    const { outputs } = await engine.toEnd(engine.start(workflow([step]), { rows }));
    expect(outputs['each']).toMatchObject({
      items: [
        { venue: 'A', rows: [rows[0], rows[2]] },
        { venue: 'B', rows: [rows[1]] },
      ],
    });
  });

  it('of nothing is done', async () => {
    const { engine } = world();
    const { outputs } = await engine.toEnd(engine.start(workflow([map()]), { items: [] }));
    expect(outputs['each']).toEqual({ items: [], count: 0, succeeded: 0, failed: 0, errors: [] });
  });

  it('retries items by themselves and tolerates as many failures as it says', async () => {
    const retry = { maxRetries: 1, baseDelaySeconds: 1 };
    const iterator = [
      { name: 'try', kind: 'lambda', handler: 'try', params: { n: '{{ item }}' }, retry },
    ] as const;
    const handlers = {
      try: (params: JsonObject, { command }: Attempt) =>
        params['n'] === 1 || command.attempt === 1 ? transient('no luck') : StepResult.ok({ n: 0 }),
    };
    const tolerant = world(handlers);
    const run = tolerant.engine.start(workflow([map({ iterator, toleratedFailures: 1 })]), {
      items: [0, 1, 2],
    });
    expect((await tolerant.engine.toEnd(run)).outputs['each']).toMatchObject({
      items: [{ n: 0 }, null, { n: 0 }],
      succeeded: 2,
      errors: [{ index: 1, message: 'no luck' }],
    });
    const strict = world(handlers);
    const end = await strict.engine.toEnd(
      strict.engine.start(workflow([map({ iterator })]), { items: [0, 1, 2] }),
    );
    expect(end.error?.type).toBe('MapFailed');
  });

  it('that waits for somebody pauses between items and stages', async () => {
    const { engine, log } = world({
      double: (params, attempt) => {
        if (params['n'] === 1) engine.send(attempt.runId, { type: 'pause' });
        return StepResult.ok({ n: 1 });
      },
    });
    const run = engine.start(workflow([map({ maxConcurrency: 1 })]), { items: [1, 2] });
    await engine.settle();
    expect(log).toEqual(['each[0]']);
    engine.send(run, { type: 'resume' });
    expect((await engine.toEnd(run)).status).toBe('completed');
    expect(log).toHaveLength(4);
  });

  it('gives up items that wait for their next attempt when the run stops', async () => {
    const retry = { maxRetries: 1, baseDelaySeconds: 60 };
    const { engine } = world({
      try: () => transient('no luck'),
      bad: async (_, attempt) => {
        await attempt.sleep(5);
        return StepResult.fail('broken');
      },
    });
    const iterator = [{ name: 'try', kind: 'lambda', handler: 'try', retry }] as const;
    const bad: Step = { kind: 'lambda', name: 'bad', handler: 'bad' };
    const run = engine.start(workflow([map({ iterator }), bad]), { items: [1, 2] });
    expect((await engine.toEnd(run)).step).toBe('bad');
    expect(engine.state(run).steps.get('each')).toMatchObject({
      status: 'failed',
      map: { failed: 2, running: 0 },
    });
    expect(engine.time.clock.now().toISOString()).toBe('2026-01-01T00:00:05.000Z');
  });

  it('cancels the items under way with the run', async () => {
    const { engine } = world({
      double: async (_, attempt) => {
        await attempt.sleep(60);
        return StepResult.ok();
      },
    });
    const run = engine.start(workflow([map({ maxConcurrency: 2 })]), { items: [1, 2, 3] });
    engine.send(run, { type: 'cancel', by: 'kim' });
    expect((await engine.toEnd(run)).status).toBe('cancelled');
    expect(
      engine
        .state(run)
        .items.entries()
        .map(([key, { status }]) => [key, status]),
    ).toEqual([
      ['each[0]', 'cancelled'],
      ['each[1]', 'cancelled'],
      ['each[2]', 'pending'],
    ]);
  });

  it('cancels an attempt that takes too long, and makes another', async () => {
    const { engine } = world({
      slow: async (_, attempt) => {
        await attempt.sleep(attempt.command.attempt === 1 ? 60 : 1);
        return StepResult.ok({ attempt: attempt.command.attempt });
      },
    });
    const retry = { maxRetries: 1, baseDelaySeconds: 1 };
    const iterator = [{ name: 'slow', kind: 'lambda', handler: 'slow', timeoutSeconds: 5, retry }] as const;
    const run = engine.start(workflow([map({ iterator })]), { items: [1] });
    expect((await engine.toEnd(run)).outputs['each']).toMatchObject({ items: [{ attempt: 2 }] });
  });
});
