import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { OperationError } from '@spine/core';
import { LocalExecutor } from '../executors/local-executor.ts';
import { MemoryExecutor } from '../executors/memory-executor.ts';
import type { Executor } from '../executors/protocol.ts';
import { StubExecutor } from '../executors/stub-executor.ts';
import { HandlerRegistry } from '../registry/registry.ts';
import { taskSpec } from '../spec/work-spec.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { HandlerContext } from '../worker/context.ts';
import { BatchBuilder } from './builder.ts';
import { BatchExecutor } from './executor.ts';
import type { BatchProgress } from './result.ts';

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

/** A handler that does to `n` what the test says. */
function numbers(behave: (n: number, ctx: HandlerContext) => unknown) {
  const calls: number[] = [];
  const registry = new HandlerRegistry().registerTask(
    'n',
    { description: 'A test.', params: z.strictObject({ n: z.int() }) },
    ({ n }, ctx) => {
      calls.push(n);
      return behave(n, ctx);
    },
  );
  return { registry, calls };
}

const spec = (n: unknown, options: Partial<WorkSpec> = {}): WorkSpec =>
  taskSpec('n', { n }, { maxRetries: 0, ...options });
const specs = (count: number): WorkSpec[] => Array.from({ length: count }, (_, n) => spec(n));

const untilAborted = (ctx: HandlerContext): Promise<never> =>
  new Promise((_, reject) => {
    ctx.signal.addEventListener('abort', () => reject(ctx.signal.reason as Error), { once: true });
  });

describe('a batch builder', () => {
  it('gives every item the identity of its batch', () => {
    const batch = new BatchBuilder()
      .named('weeks')
      .withId('weeks-2026-11')
      .add(spec(1))
      .add(spec(2), 'second')
      .add(spec(3, { idempotencyKey: 'own', correlationId: 'theirs' }))
      .build();
    expect(
      batch.items.map(({ key, spec: { idempotencyKey, correlationId } }) => [
        key,
        idempotencyKey,
        correlationId,
      ]),
    ).toEqual([
      ['0', 'batch:weeks-2026-11:0', 'weeks-2026-11'],
      ['second', 'batch:weeks-2026-11:second', 'weeks-2026-11'],
      ['2', 'own', 'theirs'],
    ]);
    expect(batch).toMatchObject({ name: 'weeks', concurrency: 1_000, maxFailures: Infinity });
    const other = new BatchBuilder().correlatedBy('release-7').add(spec(1)).build();
    expect(other.items[0]?.spec.correlationId).toBe('release-7');
    expect(other.batchId).not.toBe(new BatchBuilder().build().batchId);
  });

  it('keeps idempotency keys within their length, and apart', () => {
    const key = 'k'.repeat(300);
    const { items } = new BatchBuilder().withId('b').add(spec(1), key).add(spec(2), `${key}2`).build();
    const keys = items.map((item) => item.spec.idempotencyKey ?? '');
    expect(new Set(keys).size).toBe(2);
    for (const each of keys) expect(each.length).toBeLessThanOrEqual(200);
  });

  it.each([
    ['a batch id with a colon', (builder: BatchBuilder) => builder.withId('a:b'), 'batch_id'],
    ['an empty batch id', (builder: BatchBuilder) => builder.withId(''), 'batch_id'],
    ['an empty correlation id', (builder: BatchBuilder) => builder.correlatedBy(''), 'correlation_id'],
    ['an empty key', (builder: BatchBuilder) => builder.add(spec(1), ''), 'key'],
    ['a key twice', (builder: BatchBuilder) => builder.add(spec(1)).add(spec(2), '0'), 'key'],
    ['a concurrency of 0', (builder: BatchBuilder) => builder.withConcurrency(0), 'concurrency'],
    ['half a failure', (builder: BatchBuilder) => builder.maxFailures(0.5), 'max_failures'],
  ])('refuses %s', (_, build, field) => {
    expect(() => build(new BatchBuilder())).toThrow(
      expect.objectContaining({
        name: 'ValidationError',
        issues: [expect.objectContaining({ field })],
      }) as Error,
    );
  });
});

describe('a batch', () => {
  it('answers for every item, in order, and sums up', async () => {
    const { registry } = numbers((n) => {
      if (n === 1) throw new OperationError('one');
      if (n === 2) throw new Error('two');
      return { n };
    });
    const batch = new BatchBuilder()
      .named('mixed')
      .addAll([spec(0), spec(1), spec(2), spec('three'), taskSpec('nobody'), spec(5)])
      .build();
    const result = await new BatchExecutor(new LocalExecutor({ registry })).run(batch);
    expect(result).toMatchObject({
      batchId: batch.batchId,
      name: 'mixed',
      status: 'failed',
      counts: { completed: 2, failed: 2, invalid: 1, unknown_handler: 1 },
      errorsByCategory: { OPERATION: 1, UNKNOWN: 1, VALIDATION: 1, CONFIG: 1 },
      deadLetters: [],
    });
    expect(result.items.map(({ key, outcome }) => [key, outcome.type])).toEqual([
      ['0', 'completed'],
      ['1', 'failed'],
      ['2', 'failed'],
      ['3', 'invalid'],
      ['4', 'unknown_handler'],
      ['5', 'completed'],
    ]);
    expect(result.items[5]?.outcome).toMatchObject({ result: { n: 5 } });
  });

  it('without items is completed', async () => {
    const { registry } = numbers(() => 1);
    expect(
      await new BatchExecutor(new LocalExecutor({ registry })).run(new BatchBuilder().build()),
    ).toMatchObject({
      status: 'completed',
      items: [],
      counts: {},
    });
  });

  it('has no more under way than told, and uses it', async () => {
    let [now, top] = [0, 0];
    const { registry } = numbers(async () => {
      now += 1;
      top = Math.max(top, now);
      await new Promise((resolve) => setImmediate(resolve));
      now -= 1;
    });
    const executor = new LocalExecutor({ registry, concurrency: 50 });
    const batch = new BatchBuilder().addAll(specs(60)).withConcurrency(7).build();
    expect(await new BatchExecutor(executor).run(batch)).toMatchObject({ status: 'completed' });
    expect(top).toBe(7);
  });

  it('tells its progress; a listener that throws stops nothing', async () => {
    const { registry } = numbers((n) => {
      if (n === 1) throw new Error('one');
    });
    const told: BatchProgress[] = [];
    const batch = new BatchBuilder()
      .addAll(specs(3))
      .withConcurrency(1)
      .onProgress((progress) => {
        told.push(progress);
        throw new Error('a bad listener');
      })
      .build();
    await new BatchExecutor(new MemoryExecutor({ registry })).run(batch);
    expect(told.map(({ done, failed, running }) => [done, failed, running])).toEqual([
      [0, 0, 1],
      [1, 0, 0],
      [1, 0, 1],
      [2, 1, 0],
      [2, 1, 1],
      [3, 1, 0],
    ]);
    expect(told.every(({ total }) => total === 3)).toBe(true);
  });

  it('with a known id runs nothing again, not even what failed', async () => {
    const { registry, calls } = numbers((n) => {
      if (n === 1) throw new Error('one');
      return n;
    });
    const executor = new BatchExecutor(new LocalExecutor({ registry }));
    const build = () => new BatchBuilder().withId('twice').addAll(specs(3)).build();
    const [first, beside] = await Promise.all([executor.run(build()), executor.run(build())]);
    const again = await executor.run(build());
    expect(calls.toSorted()).toEqual([0, 1, 2]);
    for (const result of [first, beside, again]) {
      expect(result.items.map(({ outcome }) => outcome.type)).toEqual(['completed', 'failed', 'completed']);
    }
    expect(again.items.every(({ reused }) => reused)).toBe(true);
    const changed = new BatchBuilder().withId('twice').add(spec(7)).build();
    expect(await executor.run(changed)).toMatchObject({
      counts: { conflict: 1 },
      errorsByCategory: { VALIDATION: 1 },
    });
  });

  it('stops after as many failures as told, and lets go on what runs', async () => {
    const hold = gate();
    const { registry, calls } = numbers(async (n) => {
      if (n === 0) return hold.opened;
      throw new Error('no');
    });
    const executor = new LocalExecutor({ registry, concurrency: 2 });
    const batch = new BatchBuilder().addAll(specs(10)).maxFailures(2).build();
    const handle = new BatchExecutor(executor).start(batch);
    while (handle.progress().failed < 3) await new Promise((resolve) => setImmediate(resolve));
    hold.open();
    const result = await handle.result();
    expect(result).toMatchObject({ status: 'stopped', counts: { completed: 1, failed: 3, skipped: 6 } });
    expect(result.items[9]?.outcome).toEqual({ type: 'skipped', reason: 'stopped' });
    expect(calls).toEqual([0, 1, 2, 3]);
  });

  it('that fails fast cancels what runs', async () => {
    const begun = gate();
    const { registry } = numbers(async (n, ctx) => {
      if (n > 0) {
        begun.open();
        return untilAborted(ctx);
      }
      await begun.opened;
      throw new Error('at once');
    });
    const executor = new LocalExecutor({ registry, concurrency: 2 });
    const result = await new BatchExecutor(executor).run(
      new BatchBuilder().addAll(specs(9)).failFast().build(),
    );
    expect(result).toMatchObject({ status: 'stopped', counts: { failed: 1, cancelled: 1, skipped: 7 } });
  });

  it('can be cancelled, by its handle or a signal', async () => {
    const { registry, calls } = numbers((_, ctx) => untilAborted(ctx));
    const executor = new BatchExecutor(new LocalExecutor({ registry, concurrency: 3 }));
    const handle = executor.start(new BatchBuilder().addAll(specs(10)).build());
    while (calls.length < 3) await new Promise((resolve) => setImmediate(resolve));
    expect(handle.progress()).toEqual({ total: 10, done: 0, failed: 0, running: 3 });
    expect(await handle.cancel('enough')).toMatchObject({
      status: 'cancelled',
      counts: { cancelled: 3, skipped: 7 },
    });
    expect(await handle.result()).toBe(await handle.cancel());

    const controller = new AbortController();
    const running = executor.run(new BatchBuilder().addAll(specs(5)).build(), { signal: controller.signal });
    while (calls.length < 6) await new Promise((resolve) => setImmediate(resolve));
    controller.abort();
    expect(await running).toMatchObject({ status: 'cancelled', counts: { cancelled: 3, skipped: 2 } });
    expect(
      await executor.run(new BatchBuilder().addAll(specs(5)).build(), { signal: AbortSignal.abort() }),
    ).toMatchObject({ status: 'cancelled', counts: { skipped: 5 } });
    expect(calls).toHaveLength(6);
  });

  it('cancels an item that was being submitted when it was cancelled', async () => {
    const { registry, calls } = numbers((_, ctx) => untilAborted(ctx));
    const executor = new LocalExecutor({ registry });
    const slow = gate();
    const submit = executor.submit.bind(executor);
    executor.submit = async (each) => {
      await slow.opened;
      return submit(each);
    };
    const handle = new BatchExecutor(executor).start(new BatchBuilder().add(spec(1)).build());
    await Promise.resolve();
    const cancelled = handle.cancel();
    slow.open();
    expect(await cancelled).toMatchObject({ status: 'cancelled', counts: { cancelled: 1 } });
    expect(calls).toEqual([1]);
  });

  it('waits for room in a full queue', async () => {
    const { registry } = numbers((n) => n);
    const executor = new LocalExecutor({ registry, concurrency: 1, queueLimit: 1 });
    const eager: Executor = {
      kind: 'local',
      concurrency: 5,
      submit: (each) => executor.submit(each),
      status: (ref) => executor.status(ref),
      wait: (ref, options) => executor.wait(ref, options),
      cancel: (ref, reason) => executor.cancel(ref, reason),
      close: (options) => executor.close(options),
    };
    expect(await new BatchExecutor(eager).run(new BatchBuilder().addAll(specs(20)).build())).toMatchObject({
      status: 'completed',
      counts: { completed: 20 },
    });
  });

  it('on an executor that closes or fails still answers for every item', async () => {
    const { registry } = numbers((n) => n);
    const closed = new LocalExecutor({ registry });
    await closed.close();
    const batch = () => new BatchBuilder().addAll(specs(2)).build();
    expect(await new BatchExecutor(closed).run(batch())).toMatchObject({
      counts: { rejected: 2 },
      errorsByCategory: { RESOURCE: 2 },
    });
    const broken = new LocalExecutor({ registry });
    broken.submit = () => Promise.reject(new OperationError('the store is away'));
    const result = await new BatchExecutor(broken).run(batch());
    expect(result.counts).toEqual({ fault: 2 });
    expect(result.items[0]?.outcome).toMatchObject({ error: { message: 'the store is away' }, ref: null });
  });

  it('can be rehearsed', async () => {
    const { registry, calls } = numbers((n) => n);
    const stub = new StubExecutor({ registry });
    const result = await new BatchExecutor(stub).run(
      new BatchBuilder().addAll([...specs(3), spec('x')]).build(),
    );
    expect(result.counts).toEqual({ completed: 3, invalid: 1 });
    expect(stub.planned).toHaveLength(3);
    expect(calls).toEqual([]);
  });
});
