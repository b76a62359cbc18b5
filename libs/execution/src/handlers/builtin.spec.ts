import { describe, expect, it } from 'vitest';
import { ErrorCategory, SpineError } from '@spine/core';
import { silentLogger } from '@spine/observability';
import { processGuards } from '../gates/guards.ts';
import { HandlerRegistry } from '../registry/registry.ts';
import type { HandlerContext } from '../worker/context.ts';
import { RunDeferredError } from '../worker/defer.ts';
import { registerBuiltinHandlers } from './builtin.ts';

const registry = registerBuiltinHandlers(new HandlerRegistry());

interface Heard {
  readonly progress: [number, string | undefined][];
}

function context(signal: AbortSignal, heard: Heard): HandlerContext {
  const notHere = () => Promise.reject(new Error('this handler needs no database'));
  return {
    run: {
      runId: '01890a5d-ac96-774b-bcce-b302099a8057',
      kind: 'task',
      name: 'any',
      lane: 'default',
      attempt: 1,
      maxAttempts: 1,
      epoch: 1,
      correlationId: null,
      parentRunId: null,
      metadata: {},
      lastError: null,
    },
    signal,
    log: silentLogger(),
    progress: (fraction, message) => heard.progress.push([fraction, message]),
    event: notHere,
    submit: notHere,
    transaction: notHere,
    publish: notHere,
    defer: (seconds, reason) => {
      throw new RunDeferredError(seconds * 1_000, reason);
    },
    secret: notHere,
    traceparent: null,
    breaker: () => ({ fire: async (call) => call() }),
    limits: processGuards().limits,
  };
}

/** What a worker does with a run of it: params through the schema, then the handler. */
async function call(
  key: readonly ['task' | 'operation', string],
  params: unknown,
  signal: AbortSignal = new AbortController().signal,
  heard: Heard = { progress: [] },
): Promise<unknown> {
  const handler = registry.get(...key);
  const parsed = handler?.parse(params);
  if (handler === undefined || parsed === undefined) throw new Error(`no ${key.join(':')}`);
  if (!parsed.ok) throw new Error(parsed.issues.map(({ field }) => field).join(', '));
  return handler.invoke(parsed.params, context(signal, heard));
}

describe('built-in handlers', () => {
  it('are these, all documented', () => {
    expect(registry.check().keys()).toEqual([
      'operation:etl_stub',
      'task:add',
      'task:echo',
      'task:fail',
      'task:sleep',
      'task:transform',
    ]);
    for (const { description } of registry.describeAll()) expect(description).not.toBe('');
  });

  it('echo returns its params, whatever they are', async () => {
    expect(await call(['task', 'echo'], { a: { b: [1, null] } })).toEqual({ a: { b: [1, null] } });
    await expect(call(['task', 'echo'], [])).rejects.toThrow('params');
  });

  it('sleep ends when its time is over', async () => {
    expect(await call(['task', 'sleep'], { seconds: 0.001 })).toEqual({ slept_seconds: 0.001 });
    for (const seconds of [-1, 86_401, '1', undefined]) {
      await expect(call(['task', 'sleep'], { seconds })).rejects.toThrow('params.seconds');
    }
  });

  it('sleep ends at once when its signal is aborted', async () => {
    const controller = new AbortController();
    const sleeping = call(['task', 'sleep'], { seconds: 86_400 }, controller.signal);
    controller.abort();
    await expect(sleeping).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('add adds', async () => {
    expect(await call(['task', 'add'], { a: 2, b: -0.5 })).toEqual({ sum: 1.5 });
    await expect(call(['task', 'add'], { a: 1 })).rejects.toThrow('params.b');
    await expect(call(['task', 'add'], { a: 1, b: 2, c: 3 })).rejects.toThrow('params.c');
  });

  it('fail fails as told', async () => {
    const asked = call(['task', 'fail'], { message: 'no source', category: 'SOURCE', retryable: true });
    await expect(asked).rejects.toMatchObject({
      message: 'no source',
      category: ErrorCategory.SOURCE,
      retryable: true,
    });
    const plain = call(['task', 'fail'], {});
    await expect(plain).rejects.toBeInstanceOf(SpineError);
    await expect(plain).rejects.toMatchObject({ category: ErrorCategory.INTERNAL, retryable: false });
    await expect(call(['task', 'fail'], { category: 'ODD' })).rejects.toThrow('params.category');
  });

  it('transform changes every text and nothing else', async () => {
    const data = { name: 'Ab😀', list: ['x', 1, null, { deep: ' y ' }] };
    const transformed = (transform: string) => call(['task', 'transform'], { data, transform });
    expect(await transformed('uppercase')).toEqual({
      data: { name: 'AB😀', list: ['X', 1, null, { deep: ' Y ' }] },
    });
    expect(await transformed('lowercase')).toEqual({
      data: { name: 'ab😀', list: ['x', 1, null, { deep: ' y ' }] },
    });
    expect(await transformed('reverse')).toEqual({
      data: { name: '😀bA', list: ['x', 1, null, { deep: ' y ' }] },
    });
    expect(await transformed('trim')).toEqual({
      data: { name: 'Ab😀', list: ['x', 1, null, { deep: 'y' }] },
    });
    for (const transform of ['eval', 'constructor', 'toString', '__proto__']) {
      await expect(transformed(transform)).rejects.toThrow('params.transform');
    }
  });

  it('etl_stub accounts for every record, the same each time, and says how far it is', async () => {
    const heard: Heard = { progress: [] };
    const counts = await call(['operation', 'etl_stub'], { records: 100 }, undefined, heard);
    expect(counts).toMatchObject({ extracted: 100, filtered: 14, loaded: 86 });
    expect(await call(['operation', 'etl_stub'], {})).toEqual(counts);
    expect(heard.progress).toEqual([[1, '86 of 100 records loaded']]);
    expect(await call(['operation', 'etl_stub'], { records: 0 })).toMatchObject({
      extracted: 0,
      filtered: 0,
      loaded: 0,
    });
    await expect(call(['operation', 'etl_stub'], { records: 1_000_001 })).rejects.toThrow('params.records');
  });
});
