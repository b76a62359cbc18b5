/** Connections that the network has forgotten: nothing arrives any more, and neither side is told. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { createPool, GroupCommit, insertRuns, inTransaction } from '@spine/database';
import type { InsertOutcome, NewRun, Pool, Queryable } from '@spine/database';
import { BullHintQueue, newRun, redisBackend, taskSpec } from '@spine/execution';
import type { Hint } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { createTestDatabase, startRedisServer, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { TcpProxy } from '../chaos/bed/tcp-proxy.ts';
import { watchedPool } from './gates-support.ts';

let database: TestDatabase;
let proxy: TcpProxy;
let pool: Pool;
let admin: Pool;

beforeAll(async () => {
  database = await createTestDatabase();
  const url = new URL(database.connectionString);
  const port = Number(url.port);
  proxy = await TcpProxy.start(() => port);
  url.port = String(proxy.port);
  pool = createPool({ connectionString: url.href, max: 1, answerTimeoutMs: 500 });
  admin = createPool({ connectionString: database.connectionString, role: null, max: 1 });
});

afterAll(async () => {
  await proxy.stop();
  await pool.end();
  await admin.end();
  await database.drop();
});

function commits(): GroupCommit<NewRun, InsertOutcome> {
  return new GroupCommit({
    flush: (runs, { ambiguous }) => insertRuns(pool, runs, { ambiguous, hinted: false }),
  });
}

async function rowsOf(run: NewRun): Promise<number> {
  const { rows } = await admin.query<{ n: number }>('SELECT count(*)::int AS n FROM runs WHERE id = $1', [
    run.runId,
  ]);
  return rows[0]?.n ?? -1;
}

describe('a pool with a bound on answers', () => {
  it('gives up a connection that does not answer, and goes on with another one', async () => {
    await pool.query('SELECT 1');
    proxy.abandon();
    await expect(pool.query('SELECT 1')).rejects.toThrow('Query read timeout');
    expect((await pool.query<{ n: number }>('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it('gives up a transaction over it at once, without a ROLLBACK that nobody would answer', async () => {
    await pool.query('SELECT 1');
    proxy.abandon();
    const sent: string[] = [];
    const watched = watchedPool(pool, (text) => void sent.push(text.slice(0, 8)));
    const work = (on: Queryable) => on.query({ text: 'SELECT 1' });
    await expect(
      inTransaction(watched, { lockTimeoutMs: 1_000, idleTimeoutMs: 1_000 }, work),
    ).rejects.toThrow('Query read timeout');
    expect(sent).toEqual(['BEGIN; S']);
    expect((await pool.query<{ n: number }>('SELECT 1 AS n')).rows).toEqual([{ n: 1 }]);
  });

  it('lets a group commit send again what never arrived', async () => {
    const run = newRun(taskSpec('echo'));
    await pool.query('SELECT 1');
    proxy.abandon();
    expect(await commits().submit(run)).toMatchObject({ type: 'inserted', runId: run.runId });
    expect(await rowsOf(run)).toBe(1);
  });

  it('lets a group commit recognise what was committed and never answered', async () => {
    const run = newRun(taskSpec('echo'));
    await pool.query('SELECT 1');
    proxy.set('hold-answers');
    const stored = commits().submit(run);
    await waitFor(async () => (await rowsOf(run)) === 1, { message: 'the commit' });
    proxy.abandon();
    proxy.set('open');
    expect(await stored).toMatchObject({ type: 'existing', run: { runId: run.runId } });
    expect(await rowsOf(run)).toBe(1);
  });
});

describe('a queue on Redis with a bound on answers', () => {
  it('makes its connections anew: hints come and go again', { timeout: 60_000 }, async () => {
    const redis = await startRedisServer();
    const toRedis = await TcpProxy.start(() => redis.port);
    const url = `redis://127.0.0.1:${toRedis.port}`;
    // Longer than a fetch blocks.
    const backend = redisBackend({ url, logger: silentLogger(), answerTimeoutMs: 3_000 });
    const queue = new BullHintQueue(backend, silentLogger(), { idleSeconds: 1, silentMs: 20_000 });
    await queue.check();
    const consumer = queue.consume('default');
    const hint = (): Hint => ({ lane: 'default', priority: 2, runIds: [newId()], label: 'x', delayMs: 0 });
    const delivered = async (sent: Hint): Promise<void> => {
      const delivery = await waitFor(() => consumer.next(), { timeoutMs: 30_000, message: 'the hint' });
      expect(delivery.runIds).toEqual(sent.runIds);
      await delivery.finish({ outcomes: {}, failure: null });
    };
    const before = hint();
    await queue.publish([before]);
    await delivered(before);

    toRedis.abandon();
    const after = hint();
    await queue.publish([after]);
    await delivered(after);
    await consumer.close();
    await queue.close();
    await toRedis.stop();
    await redis.stop();
  });
});
