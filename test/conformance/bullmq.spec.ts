/** What is true of hints on BullMQ beyond what every queue promises. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker as BullWorker } from 'bullmq';
import { Redis } from 'ioredis';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { newId } from '@spine/core';
import { BullHintQueue, MAX_RUNS_PER_HINT, redisBackend } from '@spine/execution';
import type { Delivery, Hint, HintConsumer } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { startRedisServer, waitFor } from '@spine/testing';
import type { RedisServer } from '@spine/testing';
import { openPostgresQueue, openRedisQueue } from './queues.ts';

const LANE = 'default';

function hint(more: Partial<Hint> = {}): Hint {
  return { lane: LANE, priority: 2, runIds: [newId()], label: 'task:echo', delayMs: 0, ...more };
}

function nextHint(consumer: HintConsumer): Promise<Delivery> {
  return waitFor(() => consumer.next(), { timeoutMs: 20_000, message: 'a hint' });
}

function refused(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => false,
    () => true,
  );
}

afterEach(() => {
  vi.useRealTimers();
});

describe.each([
  ['Redis', openRedisQueue],
  ['Postgres', openPostgresQueue],
] as const)('hints on %s', (_, open) => {
  it('hold run ids and nothing else, are small, never retried, and have an id nobody has', async () => {
    const { queue, close } = await open();
    try {
      const largest = hint({
        runIds: Array.from({ length: MAX_RUNS_PER_HINT }, newId),
        label: 'task:echo ×256',
      });
      await queue.publish([largest, hint(), hint()]);
      await queue.publish([largest]);
      const jobs = await queue.queue(LANE).getJobs(['waiting', 'prioritized']);
      expect(jobs).toHaveLength(4);
      for (const job of jobs) {
        expect(Object.keys(job.data)).toEqual(['run_ids']);
        expect(JSON.stringify(job.data).length).toBeLessThan(16 * 1024);
        expect(job.opts.attempts).toBe(1);
        // BullMQ cuts ids at a colon, and takes one of digits alone for its own counter.
        expect(job.id).toMatch(/^[a-z][^:]*$/);
      }
      expect(new Set(jobs.map((job) => job.id)).size).toBe(4);
      expect(jobs.filter((job) => job.name === 'task:echo ×256')).toHaveLength(2);
    } finally {
      await close();
    }
  });

  it('stay locked as long as they are not finished, also while their consumer closes', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    const { queue, locks, shortenLocks, close } = await open();
    const consumer = queue.consume(LANE);
    try {
      await queue.publish([hint(), hint()]);
      const [first, second] = [await nextHint(consumer), await nextHint(consumer)];
      const renewed = async (count: number): Promise<void> => {
        await shortenLocks(LANE);
        vi.advanceTimersByTime(10_000);
        await waitFor(async () => {
          const left = await locks(LANE);
          return left.length === count && left.every((ms) => ms > 20_000);
        });
      };
      await renewed(2);
      await first.finish({ outcomes: {}, failure: null });
      await renewed(1);
      await consumer.close();
      await renewed(1);
      await second.finish({ outcomes: {}, failure: null });
      expect(await locks(LANE)).toEqual([]);
    } finally {
      await consumer.close();
      await close();
    }
  });
});

describe('a Redis', () => {
  async function withServer(
    args: readonly string[],
    work: (queue: BullHintQueue, server: RedisServer) => Promise<void>,
  ): Promise<void> {
    const server = await startRedisServer({ args });
    const queue = new BullHintQueue(
      redisBackend({ url: server.url, logger: silentLogger() }),
      silentLogger(),
    );
    try {
      await work(queue, server);
    } finally {
      await queue.close();
      await server.stop();
    }
  }

  it('that may evict jobs is refused', async () => {
    await withServer(['--maxmemory-policy', 'allkeys-lru'], async (queue) => {
      await expect(queue.check()).rejects.toThrow('maxmemory-policy allkeys-lru; set it to noeviction');
    });
  });

  it('gives the hints of dead consumers to living ones', async () => {
    await withServer([], async (queue, server) => {
      await queue.check();
      const published = hint();
      await queue.publish([published]);
      const client = new Redis(server.url);
      const connection = new Redis(server.url, { maxRetriesPerRequest: null });
      // Takes a hint and is never heard of again.
      const dead = new BullWorker(LANE, null, {
        connection,
        prefix: 'spine',
        autorun: false,
        lockDuration: 1,
      });
      await dead.getNextJob('token', { block: true });
      expect(await queue.counts(LANE)).toMatchObject({ waiting: 0, active: 1 });
      // One round marks what has no lock, the next gives it back; this key keeps them half a minute apart.
      const second = new BullHintQueue(
        redisBackend({ url: server.url, logger: silentLogger() }),
        silentLogger(),
      );
      await queue.recoverStalled([LANE]);
      await waitFor(() => client.del(`spine:${LANE}:stalled-check`));
      await second.recoverStalled([LANE]);
      const consumer = queue.consume(LANE);
      expect((await nextHint(consumer)).runIds).toEqual(published.runIds);
      await consumer.close();
      await second.close();
      await dead.close(true);
      for (const each of [client, connection]) each.disconnect();
    });
  });

  it('that is away is said to be, by publish at once; it is used again when it is back', async () => {
    await withServer([], async (queue, server) => {
      await queue.check();
      const consumer = queue.consume(LANE);
      await consumer.next();
      await server.kill();
      // A hint that was being sent when the server went waits for its return; the publisher's time-out is for that.
      await waitFor(() => Promise.race([refused(queue.publish([hint()])), sleep(200, false)]));
      await expect(queue.check()).rejects.toThrow();
      // An outage is nothing a consumer throws over.
      const during = consumer.next();
      const late = queue.consume('late');
      await expect(queue.counts('late')).rejects.toThrow('Redis is not connected');
      await server.restart();
      await waitFor(async () => !(await refused(queue.check())));
      const published = hint();
      await queue.publish([published, { ...published, lane: 'late' }]);
      expect(((await during) ?? (await nextHint(consumer))).runIds).toEqual(published.runIds);
      expect((await nextHint(late)).runIds).toEqual(published.runIds);
      await Promise.all([consumer.close(), late.close()]);
    });
  });

  it('that hangs keeps nobody from closing', async () => {
    await withServer([], async (queue, server) => {
      await queue.check();
      const consumer = queue.consume(LANE);
      await queue.publish([hint()]);
      await nextHint(consumer);
      const pending = consumer.next();
      await server.pause();
      await consumer.close();
      await queue.close();
      expect(await pending).toBeNull();
      await server.resume();
    });
  });
});
