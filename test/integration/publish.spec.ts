/** ctx.publish: everything a handler has made and the end of its run, in one transaction. */
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ValidationError } from '@spine/core';
import { AlreadyPublishedError, LocalExecutor, PublishError, taskSpec, tracked } from '@spine/execution';
import type { HandlerContext, Publication, Published, Worker } from '@spine/execution';
import { captureLogger, silentLogger } from '@spine/observability';
import type { CapturedLine } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { inconsistentRuns } from './engine-support.ts';
import { deferred, openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { countsOf, createOwnTable, EVERYTHING, NOTHING, publishAll } from './publish-support.ts';

let bed: Bed;
let lane: string;
let worker: Worker;
/** The fields of what the worker has logged as errors. */
const faults: CapturedLine['fields'][] = [];
let partitions = 0;
const newPartition = (): string => `p${(partitions += 1)}`;

beforeAll(async () => {
  bed = await openBed({ queue: 'memory', engine: { payloads: { inlineBytes: 1_024, maxBytes: 10_000 } } });
  await createOwnTable(bed.admin);
  lane = bed.newLane();
  worker = await bed.startWorker(lane, {
    logger: captureLogger(silentLogger(), {
      bindings: {},
      level: 'error',
      onLine: ({ fields }) => faults.push(fields),
    }),
  });
});
afterAll(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
  await bed.close();
});

/** Runs a handler once, and answers with its run and what is there of its partition. */
async function run(
  behaviour: (ctx: HandlerContext, partition: string) => unknown,
  more: Parameters<Bed['probe']>[2] = {},
) {
  const partition = newPartition();
  const runId = await bed.submit(
    bed.probe(lane, (ctx) => behaviour(ctx, partition), { maxRetries: 0, ...more }),
  );
  const ended = await bed.engine.dispatcher.wait(runId);
  return { runId, partition, ended, counts: await countsOf(bed.admin, partition, runId) };
}

const all = (ctx: HandlerContext, partition: string) =>
  ctx.publish((p) => publishAll(p, { partition, epoch: ctx.run.epoch, child: { lane } }));

const own = (p: Publication, partition: string) =>
  sql`INSERT INTO own_rows VALUES (${partition}, 0)`.execute(p.trx);

describe('a handler that publishes', () => {
  it('completes its run with everything it has made, and starts what follows', async () => {
    const { runId, partition, ended, counts } = await run(all);
    expect(ended).toMatchObject({ status: 'completed', attempt: 1, error: null });
    expect(counts).toEqual(EVERYTHING);
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'completed']);
    const { downstream } = ended.result as { downstream: string };
    const child = await bed.engine.dispatcher.wait(downstream);
    expect(child).toMatchObject({
      status: 'completed',
      parentRunId: runId,
      correlationId: runId,
      triggerSource: 'parent',
      params: { partition },
    });
    await waitFor(() => worker.running === 0);
  });

  it('says who has settled it, and counts as any other', async () => {
    const before = await bed.count('settled', { outcome: 'completed' });
    const { runId } = await run((ctx) => ctx.publish(() => Promise.resolve(null)));
    const { rows } = await bed.admin.query('SELECT source FROM run_events WHERE run_id = $1 AND terminal', [
      runId,
    ]);
    expect(rows).toEqual([{ source: `worker:${worker.workerId}` }]);
    await waitFor(async () => (await bed.count('settled', { outcome: 'completed' })) === before + 1);
  });

  it('keeps the lines it has logged before', async () => {
    const { runId } = await run((ctx) => {
      ctx.log.info('about to publish');
      return ctx.publish(() => Promise.resolve(null));
    });
    const { rows } = await bed.admin.query('SELECT message FROM run_logs WHERE run_id = $1', [runId]);
    expect(rows).toEqual([{ message: 'about to publish' }]);
  });

  it('may publish a result that has no place in the row', async () => {
    const text = 'x'.repeat(5_000);
    const { ended } = await run((ctx) => ctx.publish(() => Promise.resolve({ text })));
    expect(ended).toMatchObject({ status: 'completed', result: { text } });
  });
});

describe('a run with a gate', () => {
  it('gives its place to the next one by publishing', async () => {
    const gated = { concurrency: [{ key: 'publish', limit: 1 }] };
    const ended = await Promise.all(Array.from({ length: 4 }, () => run(all, gated)));
    expect(ended.map((each) => each.ended.status)).toEqual(ended.map(() => 'completed'));
    expect(ended.map((each) => each.counts)).toEqual(ended.map(() => EVERYTHING));
  });
});

describe('a publication that fails', () => {
  it('leaves nothing when its work throws, and the retry publishes once', async () => {
    const { ended, counts } = await run(
      (ctx, partition) =>
        ctx.publish(async (p) => {
          const result = await publishAll(p, { partition, epoch: ctx.run.epoch, child: { lane } });
          if (ctx.run.attempt === 1) throw new Error('not yet');
          return result;
        }),
      { maxRetries: 1 },
    );
    expect(ended).toMatchObject({ status: 'completed', attempt: 2 });
    expect(counts).toEqual(EVERYTHING);
  });

  it.each([
    ['is too large', 'x'.repeat(20_000), 'at most 10000 are allowed'],
    ['is no JSON', 10n, 'cannot be stored'],
  ])('leaves nothing when its result %s', async (_, result, message) => {
    const { ended, counts } = await run((ctx, partition) =>
      ctx.publish(async (p) => {
        await own(p, partition);
        return result;
      }),
    );
    expect(ended).toMatchObject({
      status: 'dead_lettered',
      error: { type: 'ValidationError', retryable: false },
    });
    expect(ended.error?.message).toContain(message);
    expect(counts).toEqual(NOTHING);
  });

  it('removes the stored result of a publication that does not commit', async () => {
    const { ended, runId } = await run((ctx) =>
      ctx.publish(async (p) => {
        await p.submit(taskSpec('echo', {}, { idempotencyKey: 'taken-late' }));
        await bed.submit(taskSpec('echo', {}, { idempotencyKey: 'taken-late' }));
        return 'x'.repeat(5_000);
      }),
    );
    expect(ended).toMatchObject({
      status: 'dead_lettered',
      error: { type: 'TransientError', retryable: true },
    });
    await waitFor(async () => {
      const { rows } = await bed.admin.query('SELECT slot FROM run_payloads WHERE run_id = $1', [runId]);
      return rows.length === 0;
    });
  });

  it('leaves nothing when a statement of it was refused, even if the handler goes on', async () => {
    const { ended, counts } = await run((ctx, partition) =>
      ctx.publish(async (p) => {
        await own(p, partition);
        await sql`SELECT 1 / 0`.execute(p.trx).catch(() => undefined);
        return null;
      }),
    );
    expect(ended.status).toBe('dead_lettered');
    expect(ended.error?.message).toContain('transaction is aborted');
    expect(counts).toEqual(NOTHING);
  });

  it('may be tried again by the handler', async () => {
    const { ended, counts } = await run(async (ctx, partition) => {
      await ctx.publish(() => Promise.reject(new Error('first'))).catch(() => undefined);
      return all(ctx, partition);
    });
    expect(ended.status).toBe('completed');
    expect(counts).toEqual(EVERYTHING);
  });

  it('is dropped when the handler returns without waiting for it', async () => {
    const late = deferred();
    const failed = deferred<unknown>();
    const { ended, partition, runId } = await run((ctx, into) => {
      ctx
        .publish(async (p) => {
          await own(p, into);
          await late.promise;
        })
        .catch(failed.resolve);
      return 'did not wait';
    });
    expect(ended).toMatchObject({ status: 'completed', result: 'did not wait' });
    late.resolve();
    expect(await failed.promise).toBeInstanceOf(PublishError);
    expect(await countsOf(bed.admin, partition, runId)).toEqual({ ...NOTHING, terminal: 1 });
  });
});

describe('a handler that does not end with its publication', () => {
  it.each<[string, string, (ctx: HandlerContext) => unknown]>([
    ['throws', 'threw_after_publish', () => Promise.reject(new ValidationError('after all'))],
    ['returns something else', 'returned_something_else', () => 'something else'],
    ['defers itself', 'deferred_after_publish', (ctx) => ctx.defer(60, 'later')],
    ['submits a child', 'returned_something_else', (ctx) => ctx.submit(taskSpec('echo'))],
  ])('and %s leaves its run completed, and is told of', async (_, fault, afterwards) => {
    const { ended, counts, runId } = await run(async (ctx, partition) => {
      await all(ctx, partition);
      return afterwards(ctx);
    });
    expect(ended).toMatchObject({ status: 'completed', error: null });
    expect(ended.result).toMatchObject({ partition: expect.any(String) as string });
    expect(counts).toEqual(EVERYTHING);
    await waitFor(() => faults.some((fields) => fields?.['run_id'] === runId && fields['fault'] === fault));
  });

  it('cannot publish twice, record anything or use the transaction any more', async () => {
    const errors: unknown[] = [];
    const note = (error: unknown): void => void errors.push(error);
    const { ended, counts } = await run(async (ctx, partition) => {
      let kept: Publication | null = null;
      const published = await ctx.publish(async (p) => {
        kept = p;
        await ctx.publish(() => Promise.resolve(null)).catch(note);
        return publishAll(p, { partition, epoch: ctx.run.epoch, child: { lane } });
      });
      await all(ctx, partition).catch(note);
      await ctx.event('too_late').catch(note);
      await ctx.transaction(() => Promise.resolve(null)).catch(note);
      await (kept as Publication | null)?.submit(taskSpec('echo')).catch(note);
      return published;
    });
    expect(ended.status).toBe('completed');
    expect(counts).toEqual(EVERYTHING);
    // The run ends before its handler does.
    await waitFor(() => errors.length === 5);
    expect(errors.map((error) => (error as Error).constructor)).toEqual([
      PublishError,
      AlreadyPublishedError,
      AlreadyPublishedError,
      AlreadyPublishedError,
      PublishError,
    ]);
  });

  it('is not told that it has lost its run', async () => {
    const beats = async (): Promise<Date | undefined> =>
      (
        await bed.admin.query<{ last_seen_at: Date }>('SELECT last_seen_at FROM workers WHERE id = $1', [
          worker.workerId,
        ])
      ).rows[0]?.last_seen_at;
    const told = deferred<boolean>();
    await run(async (ctx) => {
      const published = await ctx.publish(() => Promise.resolve(null));
      for (let heard = 0; heard < 2; heard += 1) {
        const before = await beats();
        await waitFor(async () => (await beats())?.getTime() !== before?.getTime());
      }
      told.resolve(ctx.signal.aborted);
      return published;
    });
    expect(await told.promise).toBe(false);
  });

  it('cannot return the publication of another run', async () => {
    const kept = deferred<Published<null>>();
    await run(async (ctx) => {
      const published = await ctx.publish(() => Promise.resolve(null));
      kept.resolve(published);
      return published;
    });
    const { ended } = await run(() => kept.promise);
    expect(ended).toMatchObject({
      status: 'dead_lettered',
      error: { type: 'PublishError', retryable: false },
    });
  });
});

describe('a downstream run', () => {
  const submitting = (spec: Parameters<Publication['submit']>[0]) =>
    run((ctx, partition) =>
      ctx.publish(async (p) => {
        await own(p, partition);
        return p.submit(spec);
      }),
    );

  it.each([
    [taskSpec('add', { a: 'one', b: 2 }), 'ValidationError', false],
    [taskSpec('nobody.knows'), 'NotFoundError', true],
  ])('that is refused publishes nothing', async (spec, type, retryable) => {
    const { ended, counts } = await submitting(spec);
    expect(ended).toMatchObject({ status: 'dead_lettered', error: { type, retryable } });
    expect(counts).toEqual(NOTHING);
  });

  it('whose idempotency key is known is that run, and a conflict publishes nothing', async () => {
    const spec = taskSpec('echo', { a: 1 }, { lane, idempotencyKey: 'downstream' });
    const existing = await bed.submit(spec);
    const same = await submitting(spec);
    expect(same.ended.result).toEqual({ type: 'existing', runId: existing });
    const other = await submitting({ ...spec, params: { a: 2 } });
    expect(other.ended).toMatchObject({ status: 'dead_lettered', error: { type: 'ConflictError' } });
    expect(other.counts).toEqual(NOTHING);
  });

  it('with a singleton key takes the place of the one that waited, or leaves it', async () => {
    const spec = taskSpec('echo', {}, { lane: 'nobody', singletonKey: 'one' });
    const waits = await bed.submit(spec);
    const failed = await run((ctx) =>
      ctx.publish(async (p) => {
        await p.submit(spec);
        await p.submit(taskSpec('echo', {}, { idempotencyKey: 'taken-meanwhile' }));
        await bed.submit(taskSpec('echo', {}, { idempotencyKey: 'taken-meanwhile' }));
        return null;
      }),
    );
    expect(failed.ended.status).toBe('dead_lettered');
    expect((await bed.engine.dispatcher.get(waits))?.status).toBe('queued');
    const { ended } = await submitting(spec);
    expect(ended.status).toBe('completed');
    expect((await bed.engine.dispatcher.get(waits))?.status).toBe('cancelled');
  });

  it('with large params has them outside of its row', async () => {
    const text = 'x'.repeat(4_000);
    const { ended } = await submitting(taskSpec('echo', { text }, { lane }));
    const child = await bed.engine.dispatcher.wait((ended.result as { runId: string }).runId);
    expect(child).toMatchObject({ status: 'completed', params: { text } });
  });
});

describe('an executor without a database of runs', () => {
  const refusal = { error: { type: 'PublishUnsupportedError', category: 'CONFIG', retryable: false } };

  it('refuses to publish', async () => {
    const executor = new LocalExecutor({ registry: bed.engine.registry, db: bed.engine.db });
    const submission = await executor.submit(
      bed.probe(lane, (ctx) => ctx.publish(() => Promise.resolve(null)), { maxRetries: 0 }),
    );
    if (submission.type !== 'accepted') throw new Error(submission.type);
    expect(await executor.wait(submission.ref)).toMatchObject({ type: 'failed', ...refusal });
    await executor.close();
  });

  it('refuses it in a tracked function', async () => {
    const outcome = await tracked(bed.engine, taskSpec('tracked.publish', {}, { deadLetter: false }), (ctx) =>
      ctx.publish(() => Promise.resolve(null)),
    );
    expect(outcome).toMatchObject({ type: 'failed', ...refusal });
  });
});
