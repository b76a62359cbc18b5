/** What the memory executor does beyond the protocol, which test/conformance/executor holds. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { createLogger } from '@spine/observability';
import { HandlerRegistry } from '../registry/registry.ts';
import { taskSpec } from '../spec/work-spec.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { HandlerContext } from '../worker/context.ts';
import { MemoryExecutor } from './memory-executor.ts';
import type { ExecutionRef } from './protocol.ts';

type Behaviour = (ctx: HandlerContext) => unknown;

/** Handlers that behave as their test says. */
function behaving() {
  const behaviours = new Map<string, Behaviour>();
  const registry = new HandlerRegistry().registerTask(
    'it',
    { description: 'Behaves as its test says.', params: z.strictObject({ id: z.string() }) },
    ({ id }, ctx) => behaviours.get(id)?.(ctx),
  );
  const spec = (behaviour: Behaviour, options: Partial<WorkSpec> = {}): WorkSpec => {
    const id = String(behaviours.size);
    behaviours.set(id, behaviour);
    return taskSpec('it', { id }, options);
  };
  return { registry, spec };
}

async function accepted(executor: MemoryExecutor, spec: WorkSpec): Promise<ExecutionRef> {
  const submission = await executor.submit(spec);
  if (submission.type !== 'accepted') throw new Error(JSON.stringify(submission));
  return submission.ref;
}

function gate() {
  let open: () => void = () => undefined;
  const opened = new Promise<void>((resolve) => (open = resolve));
  return { opened, open };
}

describe('the memory executor', () => {
  it('has run when the submit is answered, without waiting for anything that is later', async () => {
    const { registry, spec } = behaving();
    const executor = new MemoryExecutor({ registry });
    let calls = 0;
    const ref = await accepted(
      executor,
      spec(
        () => {
          calls += 1;
          if (calls < 4) throw new Error('not yet');
          return calls;
        },
        { retryDelaySeconds: 3_600, runAfter: new Date(Date.now() + 3_600_000) },
      ),
    );
    expect(await executor.status(ref)).toMatchObject({ status: 'completed', result: 4, attempt: 4 });
    expect(executor.history(ref)?.events.map(({ type, epoch }) => [type, epoch])).toEqual([
      ['submitted', 0],
      ['started', 1],
      ['retry_scheduled', 1],
      ['started', 2],
      ['retry_scheduled', 2],
      ['started', 3],
      ['retry_scheduled', 3],
      ['started', 4],
      ['completed', 4],
    ]);
  });

  it('waits the same between attempts every time', async () => {
    const { registry, spec } = behaving();
    const executor = new MemoryExecutor({ registry });
    const delays: unknown[] = [];
    for (let run = 0; run < 2; run += 1) {
      const ref = await accepted(
        executor,
        spec(() => {
          throw new Error('no');
        }),
      );
      delays.push(
        executor.history(ref)?.events.flatMap(({ data }) => {
          const delay: unknown = Reflect.get(Object(data) as object, 'delay_ms');
          return delay === undefined ? [] : [delay];
        }),
      );
    }
    expect(delays).toEqual([
      [5_000, 10_000, 20_000],
      [5_000, 10_000, 20_000],
    ]);
  });

  it('runs what a handler submits inside it, and the rest in order', async () => {
    const { registry, spec } = behaving();
    const executor = new MemoryExecutor({ registry });
    const order: string[] = [];
    const child = spec(() => {
      order.push('child');
      return 'of the child';
    });
    const outer = spec(async (ctx) => {
      order.push('parent begins');
      const submitted = await ctx.submit(child);
      if (submitted.type !== 'accepted') throw new Error(submitted.type);
      const outcome = await executor.wait({ runId: submitted.runId });
      order.push('parent ends');
      return outcome.type === 'completed' ? outcome.result : outcome.type;
    });
    const refs = await Promise.all([
      accepted(executor, outer),
      accepted(
        executor,
        spec(() => order.push('next')),
      ),
    ]);
    expect(order).toEqual(['parent begins', 'child', 'parent ends', 'next']);
    expect(await executor.status(refs[0])).toMatchObject({ result: 'of the child' });
    const [parent, inner] = executor.all();
    expect(inner).toMatchObject({ status: 'completed', parentRunId: null });
    expect(executor.all().find(({ parentRunId }) => parentRunId === parent?.runId)).toMatchObject({
      correlationId: parent?.runId,
    });
  });

  it('tells a handler that asks for a transaction that there is no database', async () => {
    const { registry, spec } = behaving();
    const executor = new MemoryExecutor({ registry });
    const ref = await accepted(
      executor,
      spec((ctx) => ctx.transaction(() => Promise.resolve(1))),
    );
    expect(await executor.status(ref)).toMatchObject({
      status: 'failed',
      attempt: 1,
      error: { category: 'CONFIG', message: 'this executor was given no database for transactions' },
    });
  });

  it('keeps log lines with their run, passes them on, and shows no secret', async () => {
    const { registry, spec } = behaving();
    const lines: string[] = [];
    const logger = createLogger({ service: 'x', destination: { write: (line) => void lines.push(line) } });
    const executor = new MemoryExecutor({ registry, logger });
    const ref = await accepted(
      executor,
      spec((ctx) => ctx.log.warn({ rows: 3, token: 'a-secret' }, 'odd')),
    );
    expect(executor.history(ref)?.logs).toMatchObject([
      { level: 40, message: 'odd', fields: { rows: 3, token: '[REDACTED]' } },
    ]);
    expect(lines.map((line) => JSON.parse(line) as unknown)).toMatchObject([
      { level: 'warn', msg: 'odd', rows: 3, run_id: ref.runId, attempt: 1 },
    ]);
    expect(lines.join()).not.toContain('a-secret');
  });

  it('gives every attempt its params anew', async () => {
    const registry = new HandlerRegistry();
    const seen: unknown[] = [];
    registry.registerTask(
      'spoils',
      { description: 'A test.', params: z.object({ list: z.array(z.number()) }) },
      ({ list }) => {
        seen.push([...list]);
        list.push(99);
        throw new Error('again');
      },
    );
    const executor = new MemoryExecutor({ registry });
    await executor.submit(taskSpec('spoils', { list: [1] }, { maxRetries: 1 }));
    expect(seen).toEqual([[1], [1]]);
  });

  it('remembers as many ended runs as told', async () => {
    const { registry, spec } = behaving();
    const executor = new MemoryExecutor({ registry, keep: 2 });
    const work = (key: string) => spec(() => key, { idempotencyKey: key });
    const specs = ['a', 'b', 'c'].map(work);
    for (const each of specs) await accepted(executor, each);
    expect(executor.all().map(({ result }) => result)).toEqual(['b', 'c']);
    // What is forgotten, its key included, runs again.
    for (const each of specs.slice(0, 1))
      expect(await executor.submit(each)).toMatchObject({ type: 'accepted' });
  });

  it('refuses what it cannot hold', async () => {
    const { registry, spec } = behaving();
    const executor = new MemoryExecutor({ registry });
    expect(await executor.submit(spec(() => 1, { singletonKey: 'k', breakers: ['edgar'] }))).toMatchObject({
      type: 'invalid',
      issues: [
        { field: 'singleton_key', code: 'unsupported' },
        { field: 'breakers', code: 'unsupported' },
      ],
    });
    expect(await executor.submit(spec(() => 1, { metadata: { text: 'x'.repeat(20_000) } }))).toMatchObject({
      type: 'invalid',
      issues: [{ field: 'metadata', code: 'too_large' }],
    });
  });

  it('refuses what a handler still writes after its run was taken from it', async () => {
    const { registry, spec } = behaving();
    const executor = new MemoryExecutor({ registry });
    const late: unknown[] = [];
    const done = gate();
    const submitted = executor.submit(
      spec(async (ctx) => {
        await executor.cancel({ runId: ctx.run.runId });
        late.push(ctx.signal.aborted);
        late.push(await ctx.event('late').catch((error: unknown) => String(error)));
        late.push(await ctx.submit(spec(() => 1)));
        done.open();
      }),
    );
    await done.opened;
    await submitted;
    expect(late).toEqual([true, expect.stringContaining('AttemptAbortedError'), { type: 'fenced' }]);
    expect(executor.all()).toHaveLength(1);
  });
});
