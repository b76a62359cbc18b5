/** What handlers log, kept with their runs. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { appendRunLogs, listRunLogs } from '@spine/database';
import type { NewRunLog, RunLog } from '@spine/database';
import { RunLogWriter } from '@spine/execution';
import type { HandlerContext } from '@spine/execution';
import { createLogger, Metrics } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { claimed, openEngineDatabase, openTransaction, settle } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { deferred, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

const ALL = { limit: 1_000, offset: 0 };

async function counted(metrics: Metrics, outcome: string): Promise<number> {
  const { values } = await metrics.runLogLines.get();
  return values.find(({ labels }) => labels.outcome === outcome)?.value ?? 0;
}

describe('appending lines', () => {
  let base: EngineDatabase;
  beforeAll(async () => {
    base = await openEngineDatabase();
  });
  beforeEach(() => base.clear());
  afterAll(() => base.close());

  const line = (run: { runId: string; epoch: number }, more: Partial<NewRunLog> = {}): NewRunLog => ({
    runId: run.runId,
    epoch: run.epoch,
    attempt: 1,
    level: 30,
    message: 'said',
    fields: null,
    timestamp: new Date(),
    ...more,
  });

  it('keeps their order, and what is odd in them', async () => {
    const run = await claimed(base.pool);
    const at = new Date('2026-01-02T03:04:05.678Z');
    const odd = line(run, { message: '"{},\\\n 語', fields: '{"a":"{\\"b\\\\,"}', level: 50, timestamp: at });
    expect(await appendRunLogs(base.pool, [line(run), odd, line(run, { message: '' })])).toEqual([
      'appended',
      'appended',
      'appended',
    ]);
    const { lines } = await listRunLogs(base.db, run.runId, {}, ALL);
    expect(lines.map(({ message }) => message)).toEqual(['said', '"{},\\\n 語', '']);
    expect(lines[1]).toMatchObject({
      level: 50,
      fields: { a: '{"b\\,' },
      timestamp: at,
      epoch: run.epoch,
      attempt: 1,
    });
  });

  it('refuses those of an attempt that does not hold its run, and no others', async () => {
    const [held, over] = [await claimed(base.pool), await claimed(base.pool)];
    await settle(base.pool, over);
    const stale = { ...held, epoch: held.epoch - 1 };
    const lines = [line(over), line(held), line(stale), line({ runId: newId(), epoch: 1 })];
    expect(await appendRunLogs(base.pool, lines)).toEqual(['fenced', 'appended', 'fenced', 'fenced']);
    expect((await listRunLogs(base.db, held.runId, {}, ALL)).total).toBe(1);
    expect((await listRunLogs(base.db, over.runId, {}, ALL)).total).toBe(0);
  });

  it('waits for nobody who holds the run’s row, so that it keeps no heartbeat from it either', async () => {
    const run = await claimed(base.pool);
    const other = await openTransaction(base.pool);
    await other.client.query('SELECT 1 FROM runs WHERE id = $1 FOR UPDATE', [run.runId]);
    expect(await appendRunLogs(base.pool, [line(run)])).toEqual(['appended']);
    await other.end('ROLLBACK');
  });

  it('drops and counts what does not fit into the queue, and takes lines again when there is room', async () => {
    const metrics = new Metrics('test');
    const run = await claimed(base.pool);
    const gate = await openTransaction(base.admin);
    await gate.client.query('LOCK TABLE run_logs IN ACCESS EXCLUSIVE MODE');
    const writer = new RunLogWriter({ pool: base.pool, metrics, maxPending: 3 });
    const log = writer.open(run);
    const add = (count: number): void => {
      for (let index = 0; index < count; index += 1)
        log.add({ level: 30, message: `${index}`, fields: null });
    };
    // The first is on its way, the next ones fill the queue.
    add(1);
    await new Promise((resolve) => setImmediate(resolve));
    add(10);
    expect(await counted(metrics, 'queue_full')).toBe(7);
    await gate.end('ROLLBACK');
    await waitFor(async () => (await counted(metrics, 'stored')) === 4);
    await log.close();
    const { lines } = await listRunLogs(base.db, run.runId, {}, ALL);
    expect(lines.map(({ message }) => message)).toEqual(['0', '0', '1', '2', 'further lines dropped: 7']);
  });
});

describe('a worker', () => {
  let bed: Bed;
  let lane: string;
  const written: string[] = [];
  beforeAll(async () => {
    bed = await openBed({
      queue: 'memory',
      engine: {
        logger: createLogger({
          service: 'test',
          level: 'warn',
          destination: { write: (text) => void written.push(text) },
        }),
      },
    });
    lane = bed.newLane();
    await bed.startWorker(lane);
  });
  afterAll(() => bed.close());

  async function linesOf(runId: string): Promise<readonly RunLog[]> {
    return (await listRunLogs(bed.engine.db, runId, {}, ALL)).lines;
  }

  it('stores what a handler logs up to its last word, redacted, and logs it itself as it would', async () => {
    const runId = await bed.submit(
      bed.probe(lane, (ctx) => {
        ctx.log.info({ rows: 3, password: 'hunter2', db: { token: 'hunter2' } }, 'started');
        ctx.log.debug('not stored');
        ctx.log.child({ step: 'load' }).warn('slow');
        ctx.log.error({ err: new Error('no\0pe'), at: new Date(0), odd: '\ud800' }, 'fai\0led');
      }),
    );
    await bed.reach(runId, 'completed');
    const lines = await linesOf(runId);
    expect(lines.map(({ level, message }) => [level, message])).toEqual([
      [30, 'started'],
      [40, 'slow'],
      [50, 'fai\uFFFDled'],
    ]);
    expect(lines.map(({ fields }) => fields)).toMatchObject([
      { rows: 3, password: '[REDACTED]', db: { token: '[REDACTED]' } },
      { step: 'load' },
      { err: { type: 'Error', message: 'no\uFFFDpe' }, at: '1970-01-01T00:00:00.000Z', odd: '\uFFFD' },
    ]);
    expect(lines[0]?.fields).not.toHaveProperty('run_id');
    expect(lines.every(({ attempt, epoch }) => attempt === 1 && epoch === 1)).toBe(true);
    const logged = written.filter((text) => text.includes(runId));
    expect(logged.map((text) => (JSON.parse(text) as { level: string }).level)).toEqual(['warn', 'error']);
  });

  it('stores nothing for a handler that logs nothing', async () => {
    const { values: before } = await bed.engine.metrics.commitItems.get();
    const runId = await bed.submit(bed.probe(lane, () => 1));
    await bed.reach(runId, 'completed');
    expect(await linesOf(runId)).toEqual([]);
    const statements = (from: typeof before) =>
      from
        .filter(({ labels, metricName }) => labels.statement === 'run_logs' && metricName?.endsWith('_count'))
        .map(({ value }) => value);
    expect(statements((await bed.engine.metrics.commitItems.get()).values)).toEqual(statements(before));
  });

  it('stores the lines of every attempt, also of those that failed or were timed out', async () => {
    const runId = await bed.submit(
      bed.probe(
        lane,
        async (ctx) => {
          ctx.log.info(`attempt ${ctx.run.attempt}`);
          if (ctx.run.attempt === 1) throw new Error('not yet');
          if (ctx.run.attempt === 2) await untilAborted(ctx);
        },
        { maxRetries: 2, timeoutSeconds: 0.5 },
      ),
    );
    await bed.reach(runId, 'completed');
    expect((await linesOf(runId)).map(({ attempt, message }) => [attempt, message])).toEqual([
      [1, 'attempt 1'],
      [2, 'attempt 2'],
      [3, 'attempt 3'],
    ]);
    const { lines, total } = await listRunLogs(bed.engine.db, runId, { attempt: 2 }, ALL);
    expect([lines.length, total]).toEqual([1, 1]);
  });

  it('keeps so many lines and so many bytes of an attempt, and says how many it dropped', async () => {
    const many = await bed.submit(
      bed.probe(lane, (ctx) => {
        for (let index = 0; index < 1_100; index += 1) ctx.log.info(`line ${index}`);
      }),
    );
    await bed.reach(many, 'completed');
    const lines = await linesOf(many);
    expect(lines.slice(998).map(({ message }) => message)).toEqual(['line 998', 'line 999']);
    const { lines: last } = await listRunLogs(bed.engine.db, many, {}, { limit: 10, offset: 1_000 });
    expect(last.map(({ message, level }) => [message, level])).toEqual([['further lines dropped: 100', 40]]);

    const large = await bed.submit(
      bed.probe(lane, (ctx) => {
        for (let index = 0; index < 40; index += 1)
          ctx.log.info({ text: 'x'.repeat(3_000) }, 'y'.repeat(10_000));
      }),
    );
    await bed.reach(large, 'completed');
    const kept = await linesOf(large);
    const bytes = kept.reduce(
      (sum, { message, fields }) => sum + message.length + JSON.stringify(fields ?? '').length,
      0,
    );
    expect(bytes).toBeLessThan(257 * 1024);
    expect(kept.at(-1)?.message).toMatch(/^further lines dropped: \d+$/);
    expect(kept[0]?.message).toMatch(/^y{7999}…$/);
  });

  it('refuses the lines of a handler that goes on after it has lost its run', async () => {
    const [started, release, ended] = [deferred<HandlerContext>(), deferred(), deferred()];
    const runId = await bed.submit(
      bed.probe(lane, async (ctx) => {
        ctx.log.info('before');
        started.resolve(ctx);
        await release.promise;
        ctx.log.info('after');
        ended.resolve();
      }),
    );
    await started.promise;
    await waitFor(async () => (await linesOf(runId)).length === 1);
    await bed.engine.dispatcher.cancel(runId);
    await bed.reach(runId, 'cancelled');
    release.resolve();
    await ended.promise;
    // Whatever is still written is written before this one.
    const other = await bed.submit(bed.probe(lane, (ctx) => ctx.log.info('other')));
    await bed.reach(other, 'completed');
    expect((await linesOf(runId)).map(({ message }) => message)).toEqual(['before']);
  });

  it('goes on and settles when lines cannot be stored', async () => {
    await bed.admin.query('ALTER TABLE run_logs RENAME TO run_logs_away');
    try {
      const runId = await bed.submit(
        bed.probe(lane, (ctx) => {
          ctx.log.info('said into the void');
          return 'done';
        }),
      );
      expect((await bed.reach(runId, 'completed')).result).toBe('done');
      await waitFor(async () => (await counted(bed.engine.metrics, 'failed')) === 1);
    } finally {
      await bed.admin.query('ALTER TABLE run_logs_away RENAME TO run_logs');
    }
  });

  it('stores as much as it is told to', async () => {
    const quiet = bed.newLane();
    const talkative = bed.newLane();
    await bed.startWorker(quiet, { runLogLevel: 'silent' });
    await bed.startWorker(talkative, { runLogLevel: 'trace' });
    const say = (on: string) =>
      bed.submit(
        bed.probe(on, (ctx) => {
          ctx.log.trace('trace');
          ctx.log.fatal('fatal');
        }),
      );
    const [silent, all] = [await say(quiet), await say(talkative)];
    await bed.reach(silent, 'completed');
    await bed.reach(all, 'completed');
    expect(await linesOf(silent)).toEqual([]);
    expect((await linesOf(all)).map(({ level }) => level)).toEqual([10, 60]);
  });
});
