/** Functions of this process as runs: against a real Postgres, with workers and the reaper beside them. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OperationError, TransientError } from '@spine/core';
import { reapRuns } from '@spine/database';
import { taskSpec, tracked } from '@spine/execution';
import type { WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { inconsistentRuns, shift } from './engine-support.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
});
afterAll(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
  await bed.close();
});

let keys = 0;
/** No handler of this name is registered: nobody else can run it. */
const script = (options: Partial<WorkSpec> = {}, params: Record<string, unknown> = {}): WorkSpec =>
  taskSpec('script', params, { retryDelaySeconds: 0, ...options });
const keyed = (options: Partial<WorkSpec> = {}): WorkSpec =>
  script({ idempotencyKey: `key-${(keys += 1)}`, ...options });

async function runOf({ idempotencyKey }: WorkSpec): Promise<string> {
  const { rows } = await bed.admin.query<{ id: string }>('SELECT id FROM runs WHERE idempotency_key = $1', [
    idempotencyKey,
  ]);
  return rows[0]?.id ?? '';
}

describe('a tracked function', () => {
  it('is a run with history, result and context', async () => {
    const spec = keyed({ tags: ['nightly'] });
    const outcome = await tracked(bed.engine, spec, async (ctx) => {
      await ctx.event('looked', { rows: 3 });
      const one = await ctx.transaction((trx) =>
        trx.selectFrom('runs').select('status').where('id', '=', ctx.run.runId).executeTakeFirstOrThrow(),
      );
      return { attempt: ctx.run.attempt, status: one.status, when: new Date(0) };
    });
    expect(outcome).toEqual({
      type: 'completed',
      runId: await runOf(spec),
      // What it returned, not what JSON made of it.
      value: { attempt: 1, status: 'running', when: new Date(0) },
    });
    const runId = await runOf(spec);
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({
      status: 'completed',
      kind: 'task',
      name: 'script',
      result: { attempt: 1, status: 'running', when: '1970-01-01T00:00:00.000Z' },
      triggerSource: 'tracked',
      leaseOwner: null,
    });
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'looked', 'completed']);
  });

  it('that throws is a failed run and a dead letter', async () => {
    const spec = keyed();
    const outcome = await tracked(bed.engine, spec, () => {
      throw new OperationError('no such file');
    });
    expect(outcome).toMatchObject({
      type: 'failed',
      error: { message: 'no such file', category: 'OPERATION', retryable: false },
      run: { status: 'dead_lettered', attempt: 1 },
    });
    expect(await bed.events(await runOf(spec))).toEqual(['submitted', 'started', 'dead_lettered']);
  });

  it('is not called again unless the spec says so; then here', async () => {
    let calls = 0;
    const flaky = () => {
      calls += 1;
      if (calls < 3) throw new TransientError('not yet');
      return calls;
    };
    expect(await tracked(bed.engine, keyed(), flaky)).toMatchObject({ type: 'failed', run: { attempt: 1 } });
    calls = 0;
    const spec = keyed({ maxRetries: 2 });
    expect(await tracked(bed.engine, spec, flaky)).toMatchObject({ type: 'completed', value: 3 });
    expect(await bed.events(await runOf(spec))).toEqual([
      'submitted',
      'started',
      'retry_scheduled',
      'started',
      'retry_scheduled',
      'started',
      'completed',
    ]);
  });

  it('that returns what cannot be stored fails', async () => {
    expect(await tracked(bed.engine, keyed(), () => 10n)).toMatchObject({
      type: 'failed',
      error: { category: 'VALIDATION' },
    });
  });

  it('may return more than a row holds', async () => {
    const spec = keyed();
    const text = 'x'.repeat(300_000);
    expect(await tracked(bed.engine, spec, () => ({ text }))).toMatchObject({ type: 'completed' });
    expect(await bed.engine.dispatcher.get(await runOf(spec))).toMatchObject({ status: 'completed' });
  });

  it('is timed out, whether it looks at its signal or not', async () => {
    for (const work of [untilAborted, () => new Promise<never>(() => undefined)]) {
      expect(await tracked(bed.engine, keyed({ timeoutSeconds: 0.1 }), work)).toMatchObject({
        type: 'timed_out',
        error: { category: 'TIMEOUT' },
      });
    }
  });

  it('is not taken by a worker that knows its name', async () => {
    const lane = bed.newLane();
    await bed.startWorker(lane, { pollMs: 20 });
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        tracked(bed.engine, taskSpec('echo', { n }, { lane }), () => `here ${n}`),
      ),
    );
    expect(outcomes.map((outcome) => (outcome.type === 'completed' ? outcome.value : outcome))).toEqual(
      Array.from({ length: 20 }, (_, n) => `here ${n}`),
    );
  });

  it('is refused with the field when its spec is wrong', async () => {
    const run = (spec: WorkSpec) => tracked(bed.engine, spec, () => 1);
    expect(await run(taskSpec('add', { a: 'one' }))).toMatchObject({
      type: 'invalid',
      issues: [{ field: 'params.a' }, { field: 'params.b' }],
    });
    expect(await run(script({ singletonKey: 'k' }))).toMatchObject({
      type: 'invalid',
      issues: [{ field: 'singleton_key' }],
    });
  });

  it('that may not start now leaves nothing that waits', async () => {
    let called = false;
    const spec = keyed({ runAfter: new Date(Date.now() + 3_600_000) });
    expect(await tracked(bed.engine, spec, () => (called = true))).toMatchObject({
      type: 'blocked',
      run: { status: 'cancelled', attempt: 0 },
    });
    expect(called).toBe(false);
  });
});

describe('calls with one idempotency key', () => {
  it('run once at a time, and once in all', async () => {
    const spec = keyed();
    const [begun, release] = [deferred(), deferred()];
    let calls = 0;
    const work = async () => {
      calls += 1;
      begun.resolve();
      await release.promise;
      return calls;
    };
    let answered = 0;
    const all = Array.from({ length: 8 }, () =>
      tracked(bed.engine, spec, work).finally(() => {
        answered += 1;
      }),
    );
    await begun.promise;
    await waitFor(() => answered === 7);
    release.resolve();
    const outcomes = await Promise.all(all);
    expect(outcomes.map(({ type }) => type).toSorted()).toEqual([
      ...Array<string>(7).fill('busy'),
      'completed',
    ]);
    expect(await tracked(bed.engine, spec, work)).toMatchObject({
      type: 'existing',
      run: { status: 'completed', result: 1 },
    });
    expect(calls).toBe(1);
  });

  it('that ask for different things are a conflict', async () => {
    const spec = keyed();
    await tracked(bed.engine, spec, () => 1);
    expect(await tracked(bed.engine, { ...spec, params: { other: true } }, () => 2)).toMatchObject({
      type: 'conflict',
      run: { result: 1 },
    });
  });
});

describe('a run that is taken away', () => {
  it('by a cancel ends its function, and keeps its cancel', async () => {
    const spec = keyed();
    const begun = deferred<string>();
    const aborted = deferred<unknown>();
    const call = tracked(bed.engine, spec, async (ctx) => {
      begun.resolve(ctx.run.runId);
      ctx.signal.addEventListener('abort', () => aborted.resolve(ctx.signal.reason));
      return untilAborted(ctx);
    });
    await bed.engine.dispatcher.cancel(await begun.promise);
    expect(await call).toMatchObject({
      type: 'interrupted',
      reason: 'cancelled',
      run: { status: 'cancelled' },
    });
    expect(await aborted.promise).toMatchObject({ reason: 'cancelled' });
  });

  it('by the reaper interrupts its function with the next heartbeat', async () => {
    const spec = keyed({ maxRetries: 5 });
    const begun = deferred<string>();
    const call = tracked(
      bed.engine,
      spec,
      (ctx) => {
        begun.resolve(ctx.run.runId);
        return untilAborted(ctx);
      },
      { heartbeatMs: 500 },
    );
    const runId = await begun.promise;
    await takeAway(runId);
    expect(await call).toMatchObject({ type: 'interrupted', reason: 'lost', run: { runId } });
  });

  it('gets no result from a function that did not notice', async () => {
    const spec = keyed({ maxRetries: 5 });
    const [begun, release] = [deferred<string>(), deferred()];
    const call = tracked(
      bed.engine,
      spec,
      async (ctx) => {
        begun.resolve(ctx.run.runId);
        await release.promise;
        return 'too late';
      },
      { heartbeatMs: 3_600_000 },
    );
    const runId = await begun.promise;
    await takeAway(runId);
    release.resolve();
    expect(await call).toMatchObject({ type: 'interrupted', reason: 'lost', run: { result: null } });
    expect((await bed.events(runId)).includes('completed')).toBe(false);
  });

  /** As the reaper does when no heartbeat has come for the whole lease. */
  async function takeAway(runId: string): Promise<void> {
    await waitFor(async () => {
      // Again if a heartbeat came in between.
      await shift(bed.admin, [runId], 'lease_expires_at', '-1 hour').catch(() => undefined);
      await reapRuns(bed.engine.pool);
      return (await bed.events(runId)).includes('lease_expired');
    });
  }

  it('by its own signal waits for the next call with its key, no attempt charged', async () => {
    const spec = keyed();
    const controller = new AbortController();
    const call = tracked(
      bed.engine,
      spec,
      (ctx) => {
        controller.abort();
        return untilAborted(ctx);
      },
      { signal: controller.signal },
    );
    expect(await call).toMatchObject({
      type: 'interrupted',
      reason: 'shutdown',
      run: { status: 'queued', attempt: 0 },
    });
    expect(await tracked(bed.engine, spec, ({ run }) => run.attempt)).toMatchObject({
      type: 'completed',
      value: 1,
    });
  });

  it('because its process was killed is taken over by the next call with its key', async () => {
    const spec = taskSpec('nightly', {}, { idempotencyKey: 'killed', maxRetries: 1 });
    const child = fork(
      fileURLToPath(new URL('./fixtures/tracked-process.ts', import.meta.url)),
      [bed.databaseUrl, 'killed'],
      { execArgv: ['--conditions=@spine/source'], stdio: 'inherit' },
    );
    const [runId] = (await once(child, 'message')) as [string];
    expect(await tracked(bed.engine, spec, () => 'not yet')).toMatchObject({ type: 'busy', run: { runId } });
    child.kill('SIGKILL');
    await once(child, 'exit');
    await bed.reach(runId, 'queued');
    expect(await tracked(bed.engine, spec, ({ run }) => run.attempt)).toMatchObject({
      type: 'completed',
      runId,
      value: 2,
    });
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ crashCount: 1, epoch: 3 });
    expect(await bed.events(runId)).toEqual([
      'submitted',
      'started',
      'lease_expired',
      'started',
      'completed',
    ]);
  });
});
