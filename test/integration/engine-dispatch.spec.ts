/** The way in, and what a handler can do: submit, wait, retry, replay, list, children, events, transactions. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, OperationError } from '@spine/core';
import { manifestOf, advanceManifest } from '@spine/database';
import type { RunRecord } from '@spine/database';
import { LIMITS, stepSpec, taskSpec } from '@spine/execution';
import type { RunSummary, SubmitOutcome, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { inconsistentRuns } from './engine-support.ts';
import { deferred, openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
  await bed.startWorker('default');
});
afterAll(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
  await bed.close();
});

/** A lane no worker serves: runs wait there. */
const IDLE = 'idle';

const issuesOf = (outcome: SubmitOutcome<RunSummary>): string[] =>
  outcome.type === 'invalid' ? outcome.issues.map(({ field, code }) => `${field} ${code}`) : [outcome.type];

describe('a submission', () => {
  it.each<[string, WorkSpec, string[]]>([
    [
      'params its handler refuses',
      taskSpec('add', { a: 1, c: 2 }),
      ['params.b invalid_type', 'params.c unknown_field'],
    ],
    ['a NUL', taskSpec('echo', { a: ['x\0'] }), ['params.a[0] invalid_string']],
    ['a forbidden key', taskSpec('echo', { ['__proto__']: 1 }), ['params.__proto__ forbidden_key']],
    ['a value that is no JSON', taskSpec('echo', { n: 1n }), ['params.n not_json']],
    ['metadata that is no JSON', taskSpec('echo', {}, { metadata: { f: () => 1 } }), ['metadata.f not_json']],
    ['too much', taskSpec('echo', { text: 'x'.repeat(LIMITS.payloadBytes) }), ['params too_large']],
    ['a start out of time', taskSpec('echo', {}, { runAfter: new Date(NaN) }), ['run_after out_of_range']],
  ])('with %s is refused, field by field, and stores nothing', async (_, spec, issues) => {
    const before = (await bed.engine.dispatcher.list({}, { limit: 1, offset: 0 })).total;
    // In one flush with a good one, which must not suffer.
    const [bad, good] = await bed.engine.dispatcher.submitAll([spec, taskSpec('echo', {}, { lane: IDLE })]);
    expect(bad === undefined ? [] : issuesOf(bad)).toEqual(issues);
    expect(good?.type).toBe('accepted');
    expect((await bed.engine.dispatcher.list({}, { limit: 1, offset: 0 })).total).toBe(before + 1);
  });

  it('that cannot be stored fails alone', async () => {
    const bad = taskSpec('echo', {}, { lane: IDLE, correlationId: 'a\0b' });
    const outcomes = await Promise.allSettled(
      [taskSpec('echo', {}, { lane: IDLE }), bad, taskSpec('echo', {}, { lane: IDLE })].map((spec) =>
        bed.engine.dispatcher.submit(spec),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('of more than are sent at a time has its outcomes in order, and fails with the first that fails', async () => {
    const specs = Array.from({ length: 501 }, (_, index) =>
      taskSpec('add', { a: 1, b: 2, [`x${index}`]: 3 }),
    );
    const outcomes = await bed.engine.dispatcher.submitAll(specs);
    expect(outcomes.map(issuesOf)).toEqual(specs.map((__, index) => [`params.x${index} unknown_field`]));
    const broken: WorkSpec = {
      ...taskSpec('echo'),
      get lane(): string {
        throw new RangeError('no lane');
      },
    };
    await expect(bed.engine.dispatcher.submitAll([broken, ...specs])).rejects.toThrow('no lane');
  });

  it('with a key is the run that has it, or a conflict when it asks for something else', async () => {
    const spec = taskSpec('echo', { a: 1 }, { lane: IDLE, idempotencyKey: newId() });
    const submit = (more: Partial<WorkSpec> = {}) => bed.engine.dispatcher.submit({ ...spec, ...more });
    const first = await submit();
    const runId = first.type === 'accepted' ? first.runId : '';
    expect(await submit({ triggerSource: 'cli' })).toMatchObject({ type: 'existing', run: { runId } });
    expect(await submit({ params: { a: 2 } })).toMatchObject({ type: 'conflict', run: { runId } });
    const together = await bed.engine.dispatcher.submitAll(
      Array(5).fill({ ...spec, idempotencyKey: newId() }) as WorkSpec[],
    );
    expect(together.map(({ type }) => type).sort()).toEqual([
      'accepted',
      'existing',
      'existing',
      'existing',
      'existing',
    ]);
  });

  it('may be waited for, no longer than asked', async () => {
    const spec = taskSpec('echo', {}, { lane: IDLE, idempotencyKey: newId() });
    const waited = await bed.engine.dispatcher.submitAndWait(spec, { timeoutMs: 1 });
    expect(waited).toMatchObject({ type: 'run', run: { status: 'queued' } });
    expect(await bed.engine.dispatcher.submitAndWait({ ...spec, params: { b: 1 } })).toMatchObject({
      type: 'conflict',
    });
    const aborted = bed.engine.dispatcher.submitAndWait(spec, { signal: AbortSignal.abort() });
    await expect(aborted).rejects.toMatchObject({ name: 'AbortError' });
    await expect(bed.engine.dispatcher.wait(newId())).rejects.toMatchObject({ name: 'NotFoundError' });
  });
});

describe('a retry', () => {
  it('is a new run with the same work, that names the old one', async () => {
    const { dispatcher } = bed.engine;
    let fails = true;
    const spec = bed.probe(
      'default',
      () => {
        if (fails) throw new OperationError('broken');
        return 'mended';
      },
      { tags: ['t'], metadata: { m: 1 }, priority: 'high', idempotencyKey: newId() },
    );
    const old = await bed.reach(await bed.submit(spec), 'dead_lettered');
    fails = false;
    const outcome = await dispatcher.retry(old.runId);
    const runId = outcome.type === 'retried' ? outcome.runId : '';
    const next = await bed.reach(runId, 'completed');
    expect(next).toMatchObject({
      retryOfRunId: old.runId,
      correlationId: old.runId,
      triggerSource: 'retry',
      idempotencyKey: null,
      tags: ['t'],
      metadata: { m: 1 },
      priority: 'high',
      params: old.params,
      attempt: 1,
      result: 'mended',
    });
    expect(await dispatcher.get(old.runId)).toEqual(old);
    expect(await dispatcher.retry(runId)).toEqual({ type: 'not_retryable', status: 'completed' });
    expect(await dispatcher.retry(newId())).toEqual({ type: 'not_found' });
    const waiting = await bed.submit(taskSpec('echo', {}, { lane: IDLE }));
    expect(await dispatcher.retry(waiting)).toEqual({ type: 'not_retryable', status: 'queued' });
    await dispatcher.cancel(waiting);
    expect(await dispatcher.retry(waiting)).toMatchObject({ type: 'retried' });
  });
});

describe('a replay of a dead letter', () => {
  it('closes it and starts one new run, however many ask', async () => {
    const { dispatcher } = bed.engine;
    let fails = true;
    const spec = bed.probe('default', () => {
      if (fails) throw new OperationError('broken');
      return 'mended';
    });
    const old = await bed.reach(await bed.submit(spec), 'dead_lettered');
    const { rows } = await bed.admin.query<{ id: string }>('SELECT id FROM dead_letters WHERE run_id = $1', [
      old.runId,
    ]);
    const id = rows[0]?.id ?? '';
    fails = false;
    const outcomes = await Promise.all([1, 2, 3].map((n) => dispatcher.replay(id, `person ${n}`, 'fixed')));
    expect(outcomes.map(({ type }) => type).sort()).toEqual([
      'already_resolved',
      'already_resolved',
      'replayed',
    ]);
    const won = outcomes.find((outcome) => outcome.type === 'replayed');
    const next = await bed.reach(won?.runId ?? '', 'completed');
    expect(next).toMatchObject({ retryOfRunId: old.runId, triggerSource: 'replay', params: old.params });
    expect(won?.deadLetter).toMatchObject({ resolution: 'replayed', replayRunId: next.runId, note: 'fixed' });
    const { total } = await dispatcher.list({ correlationId: old.runId }, { limit: 10, offset: 0 });
    expect(total).toBe(1);
    expect(await dispatcher.replay(newId(), 'me')).toEqual({ type: 'not_found' });
  });
});

describe('a child run', () => {
  it('knows its parent, and all of a family share one correlation', async () => {
    const idOf = (outcome: SubmitOutcome<RunSummary>): string =>
      outcome.type === 'accepted' ? outcome.runId : '';
    const answers = {
      child: deferred<SubmitOutcome<RunSummary>>(),
      other: deferred<SubmitOutcome<RunSummary>>(),
      grandchild: deferred<SubmitOutcome<RunSummary>>(),
    };
    const child = bed.probe('default', async (ctx) =>
      answers.grandchild.resolve(await ctx.submit(stepSpec('none', {}, { lane: IDLE }))),
    );
    const parentId = await bed.submit(
      bed.probe('default', async (ctx) => {
        answers.child.resolve(await ctx.submit(child));
        answers.other.resolve(
          await ctx.submit(taskSpec('echo', {}, { correlationId: 'own', triggerSource: 'workflow' })),
        );
      }),
    );
    await bed.reach(parentId, 'completed');
    const children = [idOf(await answers.child.promise), idOf(await answers.other.promise)];
    const [first = '', second = ''] = children;
    expect(await bed.reach(first, 'completed')).toMatchObject({
      parentRunId: parentId,
      correlationId: parentId,
      triggerSource: 'parent',
    });
    expect(await bed.reach(second, 'completed')).toMatchObject({
      parentRunId: parentId,
      correlationId: 'own',
      triggerSource: 'workflow',
    });
    // What the child asked for is known to nobody, and it was told so.
    expect(await answers.grandchild.promise).toEqual({ type: 'unknown_handler', handler: 'step:none' });
    const { runs } = await bed.engine.dispatcher.list({ parentRunId: parentId }, { limit: 10, offset: 0 });
    expect(runs.map(({ runId }) => runId).sort()).toEqual(children.sort());
  });

  it('inherits its parent’s correlation', async () => {
    const submitted = deferred<SubmitOutcome<RunSummary>>();
    const spec = bed.probe('default', async (ctx) =>
      submitted.resolve(await ctx.submit(taskSpec('echo', {}, { lane: IDLE }))),
    );
    await bed.submit({ ...spec, correlationId: 'family' });
    const outcome = await submitted.promise;
    expect(await bed.engine.dispatcher.get(outcome.type === 'accepted' ? outcome.runId : '')).toMatchObject({
      correlationId: 'family',
    });
  });
});

describe('a handler', () => {
  it('is told which attempt of what it is', async () => {
    const told = deferred<unknown>();
    const spec = bed.probe('default', ({ run }) => told.resolve(run), {
      metadata: { m: 1 },
      correlationId: 'c',
      maxRetries: 2,
    });
    const runId = await bed.submit(spec);
    expect(await told.promise).toMatchObject({
      runId,
      kind: 'task',
      name: 'probe',
      lane: 'default',
      attempt: 1,
      maxAttempts: 3,
      epoch: 1,
      correlationId: 'c',
      parentRunId: null,
      metadata: { m: 1 },
    });
  });

  it('appends events of its own, of names in form', async () => {
    const runId = await bed.submit(
      bed.probe('default', async (ctx) => {
        await ctx.event('page.loaded', { page: 1 });
        await expect(ctx.event('Not a name')).rejects.toMatchObject({ name: 'ValidationError' });
        await expect(ctx.event('x'.repeat(65))).rejects.toMatchObject({ name: 'ValidationError' });
        await ctx.event('page.loaded');
      }),
    );
    await bed.reach(runId, 'completed');
    expect(await bed.events(runId)).toEqual([
      'submitted',
      'started',
      'page.loaded',
      'page.loaded',
      'completed',
    ]);
  });

  it('reports progress: bounded, not more than once a second, and the end at once', async () => {
    const progress = async (runId: string) => {
      const { rows } = await bed.admin.query<{ data: unknown }>(
        `SELECT data FROM run_events WHERE run_id = $1 AND event_type = 'progress' ORDER BY event_id`,
        [runId],
      );
      return rows.map(({ data }) => data);
    };
    const finish = deferred();
    const runId = await bed.submit(
      bed.probe('default', async (ctx) => {
        for (const fraction of [-3, 0.1, 0.2, 0.3, 7]) ctx.progress(fraction, `at ${fraction}`);
        await finish.promise;
      }),
    );
    await waitFor(async () => (await progress(runId)).length === 2);
    finish.resolve();
    await bed.reach(runId, 'completed');
    expect(await progress(runId)).toEqual([
      { fraction: 0, message: 'at -3' },
      { fraction: 1, message: 'at 7' },
    ]);
  });

  it('writes in transactions that commit with its attempt, or not at all', async () => {
    const write = (stage: string, rank: number) => ({
      domain: 'test',
      partitionKey: { p: 1 },
      stage,
      stageRank: rank,
      rowCount: 1,
      metrics: {},
      runId: newId(),
      batchId: null,
    });
    const runId = await bed.submit(
      bed.probe('default', async (ctx) => {
        const value = await ctx.transaction(async (trx) => {
          await advanceManifest(trx, write('kept', 1));
          return 'value';
        });
        await expect(
          ctx.transaction(async (trx) => {
            await advanceManifest(trx, write('dropped', 2));
            throw new Error('on second thought');
          }),
        ).rejects.toThrow('on second thought');
        return value;
      }),
    );
    expect((await bed.reach(runId, 'completed')).result).toBe('value');
    expect((await manifestOf(bed.engine.db, 'test', { p: 1 })).map(({ stage }) => stage)).toEqual(['kept']);
  });
});

describe('a list', () => {
  const list = async (filter: Parameters<typeof bed.engine.dispatcher.list>[0]) =>
    (await bed.engine.dispatcher.list(filter, { limit: 100, offset: 0 })).runs;

  it('shows the runs that match, newest first', async () => {
    const correlationId = newId();
    const submit = (more: Partial<WorkSpec>) =>
      bed.submit({ ...taskSpec('echo', {}, { lane: IDLE, correlationId }), ...more });
    const plain = await submit({});
    const tagged = await submit({ tags: ['red', 'blue'] });
    const operation = await submit({ kind: 'operation', name: 'etl_stub' });
    const cancelled = await submit({});
    await bed.engine.dispatcher.cancel(cancelled);
    const ids = async (more: object) => (await list({ correlationId, ...more })).map(({ runId }) => runId);
    expect(await ids({})).toEqual([cancelled, operation, tagged, plain]);
    expect(await ids({ tag: 'blue' })).toEqual([tagged]);
    expect(await ids({ kind: 'operation' })).toEqual([operation]);
    expect(await ids({ name: 'etl_stub' })).toEqual([operation]);
    expect(await ids({ status: ['cancelled'] })).toEqual([cancelled]);
    expect(await ids({ status: ['queued', 'cancelled'], lane: IDLE })).toHaveLength(4);
    expect(await ids({ lane: 'default' })).toEqual([]);
    const page = await bed.engine.dispatcher.list({ correlationId }, { limit: 2, offset: 1 });
    expect([page.runs.map(({ runId }) => runId), page.total, page.hasMore]).toEqual([
      [operation, tagged],
      4,
      true,
    ]);
    const rest = await bed.engine.dispatcher.list(
      { correlationId },
      { limit: 2, offset: 0, beforeRunId: tagged },
    );
    expect([rest.runs.map(({ runId }) => runId), rest.hasMore]).toEqual([[plain], false]);
  });

  it('of a window of time takes any window, the beginning of time too', async () => {
    const correlationId = newId();
    const runId = await bed.submit(taskSpec('echo', {}, { lane: IDLE, correlationId }));
    const { createdAt } = (await bed.engine.dispatcher.get(runId)) as RunRecord;
    const found = async (since?: Date, until?: Date) =>
      (
        await list({
          correlationId,
          ...(since === undefined ? {} : { since }),
          ...(until === undefined ? {} : { until }),
        })
      ).length;
    const after = new Date(createdAt.getTime() + 1);
    expect(await found(createdAt, after)).toBe(1);
    expect(await found(after)).toBe(0);
    expect(await found(undefined, createdAt)).toBe(0);
    expect(await found(new Date(0))).toBe(1);
    expect(await found(undefined, new Date('9999-12-31T23:59:59Z'))).toBe(1);
  });
});

describe('an engine', () => {
  it('works as the application role on every connection', async () => {
    const { rows } = await bed.engine.pool.query('SELECT current_user AS who');
    expect(rows).toEqual([{ who: 'spine_app' }]);
    const { rows: built } = await bed.engine.db.executeQuery<{ who: string }>(
      bed.engine.db
        .selectNoFrom(({ fn }) => fn<string>('current_setting', [({ val }) => val('role')]).as('who'))
        .compile(),
    );
    expect(built).toEqual([{ who: 'spine_app' }]);
  });
});
