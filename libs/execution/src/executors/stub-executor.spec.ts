/** What the stub executor does beyond the protocol. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { HandlerRegistry } from '../registry/registry.ts';
import { taskSpec } from '../spec/work-spec.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { ExecutionRef } from './protocol.ts';
import { StubExecutor } from './stub-executor.ts';

async function accepted(executor: StubExecutor, spec: WorkSpec): Promise<ExecutionRef> {
  const submission = await executor.submit(spec);
  if (submission.type !== 'accepted') throw new Error(JSON.stringify(submission));
  return submission.ref;
}

describe('the stub executor', () => {
  const open = () => {
    let calls = 0;
    const registry = new HandlerRegistry();
    for (const name of ['counts', 'canned', 'fails', 'odd']) {
      registry.registerTask(
        name,
        { description: 'A test.', params: z.strictObject({ n: z.int().default(1) }) },
        () => (calls += 1),
      );
    }
    const executor = new StubExecutor({
      registry,
      results: {
        'task:canned': { type: 'completed', result: { n: 7 } },
        'task:fails': { type: 'failed', error: new Error('as told') },
        'task:odd': { type: 'completed', result: 1n },
      },
    });
    return { executor, calls: () => calls };
  };

  it('tells what would run, and runs nothing', async () => {
    const { executor, calls } = open();
    const ref = await accepted(
      executor,
      taskSpec('counts', { n: 2 }, { lane: 'slow', priority: 'high', maxRetries: 0 }),
    );
    expect(await executor.wait(ref)).toMatchObject({ type: 'completed', result: null });
    expect(executor.planned).toMatchObject([
      { runId: ref.runId, name: 'counts', params: { n: 2 }, lane: 'slow', priority: 'high', maxAttempts: 1 },
    ]);
    expect(calls()).toBe(0);
  });

  it('answers as it was told, for once', async () => {
    const { executor, calls } = open();
    const outcomes = [];
    for (const name of ['canned', 'fails', 'odd'])
      outcomes.push(await executor.wait(await accepted(executor, taskSpec(name))));
    expect(outcomes).toMatchObject([
      { type: 'completed', result: { n: 7 } },
      { type: 'failed', error: { message: 'as told' }, run: { attempt: 1 } },
      { type: 'failed', error: { category: 'VALIDATION' } },
    ]);
    expect(calls()).toBe(0);
  });

  it('finds what would be refused, and plans it not', async () => {
    const { executor } = open();
    expect(await executor.submit(taskSpec('counts', { n: 'two' }))).toMatchObject({ type: 'invalid' });
    expect(await executor.submit(taskSpec('nobody'))).toMatchObject({ type: 'unknown_handler' });
    await accepted(executor, taskSpec('counts', {}, { idempotencyKey: 'k' }));
    expect(await executor.submit(taskSpec('counts', {}, { idempotencyKey: 'k' }))).toMatchObject({
      type: 'existing',
    });
    await executor.close();
    expect(await executor.submit(taskSpec('counts'))).toEqual({ type: 'rejected', reason: 'closed' });
    expect(executor.planned).toHaveLength(1);
  });
});
