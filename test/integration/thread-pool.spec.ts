/** Handlers in threads: what a thread pool promises, with real threads. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  HandlerRegistry,
  LocalExecutor,
  MemoryExecutor,
  ProcessExecutor,
  taskSpec,
  ThreadPool,
} from '@spine/execution';
import type { ExecutionOutcome, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';

const ROOT = fileURLToPath(new URL('./fixtures', import.meta.url));
const MODULE = './isolated.ts';
const FUNCTIONS = [
  'whoAmI',
  'busy',
  'hungry',
  'exits',
  'throwsBeside',
  'limited',
  'reports',
  'muddled',
  'keeps',
] as const;

function registryOf(...more: readonly (readonly [name: string, params: z.ZodType])[]): HandlerRegistry {
  const registry = new HandlerRegistry();
  for (const [name, params] of [...FUNCTIONS.map((each) => [each, z.looseObject({})] as const), ...more]) {
    registry.registerTask(name, { description: 'A test.', params }, { module: MODULE, export: name });
  }
  return registry;
}

let executor: ProcessExecutor;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spine-threads-'));
  executor = new ProcessExecutor({ registry: registryOf(), root: ROOT, threads: 1, memoryMb: 64 });
});
afterAll(async () => {
  await executor.close({ graceMs: 0 });
  await rm(folder, { recursive: true, force: true });
});

async function run(
  name: (typeof FUNCTIONS)[number],
  params: Record<string, unknown> = {},
  options: Partial<WorkSpec> = {},
): Promise<ExecutionOutcome> {
  const submission = await executor.submit(
    taskSpec(name, params, { maxRetries: 0, retryDelaySeconds: 0, ...options }),
  );
  if (submission.type !== 'accepted') throw new Error(`not accepted: ${JSON.stringify(submission)}`);
  return executor.wait(submission.ref);
}

interface Who {
  readonly threadId: number;
  readonly environment: readonly string[];
}

async function whoRuns(): Promise<Who> {
  const outcome = await run('whoAmI');
  if (outcome.type !== 'completed') throw new Error(JSON.stringify(outcome));
  return outcome.result as Who;
}

/** A file that grows no more: nobody writes to it any longer. */
async function standsStill(file: string): Promise<void> {
  let size = -1;
  await waitFor(
    () => {
      const before = size;
      size = statSync(file).size;
      return size === before;
    },
    { intervalMs: 100, message: 'the thread writes no more' },
  );
}

describe('a thread', () => {
  it('is used again, and sees nothing of the environment', async () => {
    const [first, second] = [await whoRuns(), await whoRuns()];
    expect(second.threadId).toBe(first.threadId);
    expect(first.environment).toEqual([]);
  });

  it('that computes past its time-out is terminated, and another one takes its place', async () => {
    const before = await whoRuns();
    const file = join(folder, 'busy');
    expect(await run('busy', { file }, { timeoutSeconds: 2 })).toMatchObject({
      type: 'timed_out',
      error: { category: 'TIMEOUT' },
    });
    expect(existsSync(file)).toBe(true);
    await standsStill(file);
    expect((await whoRuns()).threadId).not.toBe(before.threadId);
  });

  it('that computes is terminated by a cancel, and those that wait for it go on', async () => {
    const file = join(folder, 'cancelled');
    const submission = await executor.submit(taskSpec('busy', { file }));
    if (submission.type !== 'accepted') throw new Error(submission.type);
    await waitFor(() => existsSync(file));
    const waiting = run('whoAmI');
    await executor.cancel(submission.ref);
    expect(await executor.wait(submission.ref)).toMatchObject({ type: 'cancelled' });
    expect(await waiting).toMatchObject({ type: 'completed' });
    await standsStill(file);
  });

  it('that needs too much memory ends alone, and says why', async () => {
    expect(await run('hungry')).toMatchObject({
      type: 'failed',
      error: {
        category: 'RESOURCE',
        retryable: true,
        message: 'the thread needed more than its 64 MiB of memory',
      },
    });
    expect(await run('whoAmI')).toMatchObject({ type: 'completed' });
  });

  it('that exits, or throws beside its call, fails the attempt and not the process', async () => {
    expect(await run('exits')).toMatchObject({
      type: 'failed',
      error: { retryable: true, message: 'the thread ended by itself: worker exited with code: 3' },
    });
    expect(await run('throwsBeside')).toMatchObject({
      type: 'failed',
      error: { message: 'beside the call', retryable: true },
    });
    expect(await run('whoAmI')).toMatchObject({ type: 'completed' });
  });

  it('that logs or reports what has no JSON harms nobody but itself', async () => {
    expect(await run('muddled')).toMatchObject({ type: 'completed', result: 'done' });
    expect(await run('muddled', { event: true })).toMatchObject({
      type: 'failed',
      error: { category: 'VALIDATION', retryable: false },
    });
  });

  it('keeps what an error says of itself', async () => {
    expect(await run('limited')).toMatchObject({
      type: 'failed',
      error: {
        message: 'slow down',
        type: 'RateLimitError',
        category: 'NETWORK',
        retryable: true,
        retry_after: 7,
      },
    });
  });

  it('reports, and everything is recorded before the attempt has ended', async () => {
    const outcome = await run('reports');
    expect(outcome).toMatchObject({ type: 'completed', result: 'reported' });
    if (outcome.type !== 'completed') return;
    const history = executor.history(outcome.run);
    expect(history?.events.map(({ type, data }) => [type, data])).toEqual([
      ['submitted', null],
      ['started', null],
      ['progress', { fraction: 0.5, message: 'half' }],
      ['progress', { fraction: 1 }],
      ['checked', { rows: 3 }],
      ['completed', null],
    ]);
    expect(history?.logs.map(({ level, message, fields }) => ({ level, message, fields }))).toEqual([
      { level: 40, message: 'some are missing', fields: { rows: 3 } },
      { level: 30, message: 'done soon', fields: null },
    ]);
  });

  it('is not given what cannot be sent to it', async () => {
    const registry = registryOf();
    registry.registerTask(
      'unsendable',
      { description: 'A test.', params: z.object({}).transform(() => ({ call: () => 7 })) },
      { module: MODULE, export: 'keeps' },
    );
    const other = new ProcessExecutor({ registry, root: ROOT, threads: 1 });
    const submission = await other.submit(taskSpec('unsendable'));
    if (submission.type !== 'accepted') throw new Error(submission.type);
    expect(await other.wait(submission.ref)).toMatchObject({
      type: 'failed',
      error: { category: 'VALIDATION', retryable: false },
      run: { attempt: 1 },
    });
    await other.close();
  });
});

describe('calls beyond the threads', () => {
  it('are made in order', async () => {
    const file = join(folder, 'order');
    const names = Array.from({ length: 20 }, (_, index) => `call ${index}`);
    await Promise.all(names.map((name) => run('keeps', { file, name })));
    expect(readFileSync(file, 'utf8')).toBe(names.map((name) => `${name}\n`).join(''));
  });
});

describe('code that is not there', () => {
  const check = async (code: { module: URL | string; export: string }, root = ROOT): Promise<unknown> => {
    const registry = new HandlerRegistry();
    registry.registerTask('it', { description: 'A test.', params: z.object({}) }, code);
    const other = new ProcessExecutor({ registry, root, threads: 1 });
    try {
      return await other.check().then(
        () => 'there',
        (error: unknown) => error,
      );
    } finally {
      await other.close();
    }
  };

  it('is found at the start, by the name of its handler', async () => {
    expect(await check({ module: MODULE, export: 'whoAmI' })).toBe('there');
    expect(await check({ module: new URL('./fixtures/isolated.ts', import.meta.url), export: 'busy' })).toBe(
      'there',
    );
    for (const name of ['notAFunction', 'nowhere', 'constructor']) {
      expect(await check({ module: MODULE, export: name })).toMatchObject({
        name: 'ConfigError',
        message: expect.stringMatching(
          new RegExp(`handler task:it: .*exports no function "${name}"`),
        ) as string,
      });
    }
    expect(await check({ module: '../engine-support.ts', export: 'claim' })).toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('is outside') as string,
    });
  });

  it('needs a root that is there', () => {
    expect(() => new ThreadPool({ root: join(ROOT, 'nowhere') })).toThrow(/cannot be read/);
    expect(() => new ThreadPool({ root: join(ROOT, 'isolated.ts') })).toThrow(/not a directory/);
    expect(() => new ThreadPool({ root: ROOT, threads: 0 })).toThrow(/threads is 0/);
    expect(() => new ThreadPool({ root: ROOT, memoryMb: 0.5 })).toThrow(/memoryMb is 0.5/);
  });
});

describe('the other executors of a process', () => {
  it('call isolated handlers in a pool they are given, and fail them without one', async () => {
    const registry = registryOf();
    const threads = new ThreadPool({ root: ROOT, threads: 1 });
    for (const [other, type] of [
      [new MemoryExecutor({ registry, threads }), 'completed'],
      [new LocalExecutor({ registry, threads }), 'completed'],
      [new LocalExecutor({ registry }), 'failed'],
    ] as const) {
      const submission = await other.submit(taskSpec('reports'));
      if (submission.type !== 'accepted') throw new Error(submission.type);
      const outcome = await other.wait(submission.ref);
      expect(outcome).toMatchObject(
        type === 'completed'
          ? { type, result: 'reported' }
          : { type, error: { category: 'CONFIG' }, run: { attempt: 1 } },
      );
      await other.close();
    }
    await threads.close();
  });

  it('are refused by a process executor when they are plain functions', async () => {
    const registry = new HandlerRegistry().registerTask(
      'plain',
      { description: 'A test.', params: z.object({}) },
      () => 1,
    );
    const other = new ProcessExecutor({ registry, root: ROOT, threads: 1 });
    expect(await other.submit(taskSpec('plain'))).toMatchObject({
      type: 'invalid',
      issues: [{ field: 'name', code: 'not_isolated' }],
    });
    await other.close();
  });
});

describe('a pool that is closed', () => {
  it('ends what runs and what waits, as failures that may be tried again', async () => {
    const threads = new ThreadPool({ root: ROOT, threads: 1 });
    const other = new LocalExecutor({ registry: registryOf(), threads, concurrency: 2 });
    const file = join(folder, 'closed');
    const refs = [];
    for (const spec of [
      taskSpec('busy', { file }, { maxRetries: 0 }),
      taskSpec('whoAmI', {}, { maxRetries: 0 }),
    ]) {
      const submission = await other.submit(spec);
      if (submission.type !== 'accepted') throw new Error(submission.type);
      refs.push(submission.ref);
    }
    await waitFor(() => existsSync(file));
    expect({ busy: threads.busy, waiting: threads.waiting }).toEqual({ busy: 1, waiting: 1 });
    await threads.close();
    for (const ref of refs) {
      expect(await other.wait(ref)).toMatchObject({
        type: 'failed',
        error: { type: 'AttemptAbortedError', retryable: true },
      });
    }
    await standsStill(file);
    await other.close();
  });
});
