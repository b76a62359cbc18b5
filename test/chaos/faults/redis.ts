/** Faults of Redis: it forgets, hangs, evicts, repeats itself, or is out of reach for one worker. */
import { Redis } from 'ioredis';
import { BullHintQueue, redisBackend } from '@spine/execution';
import type { Hint } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import type { Bed } from '../bed/bed.ts';
import { pause, until } from '../pause.ts';
import type { Random } from '../random.ts';
import type { Fault } from './fault.ts';

const LANE = 'default';

const nothingToHeal = (): Promise<void> => Promise.resolve();

async function withRedis(bed: Bed, work: (client: Redis) => Promise<void>, db = 0): Promise<void> {
  const client = new Redis(bed.redis.url, { db });
  client.on('error', () => undefined);
  try {
    await work(client);
  } finally {
    client.disconnect();
  }
}

export const redisFlush: Fault = {
  what: 'FLUSHALL every two seconds',
  losesLeases: false,
  inject: (bed, random, signal) =>
    withRedis(bed, async (client) => {
      await pause(random.int(0, 1_000), signal);
      while (!signal.aborted) {
        bed.count('keys flushed', await client.dbsize());
        await client.flushall();
        await pause(2_000, signal);
      }
    }),
  heal: nothingToHeal,
};

export const redisRestartEmpty: Fault = {
  what: 'Redis killed and started again, empty',
  losesLeases: false,
  inject: async (bed, random, signal) => {
    await pause(random.int(0, 2_000), signal);
    await bed.redis.kill();
    await pause(random.int(0, 2_000), signal);
    await bed.redis.restart();
    bed.count('Redis restarts');
  },
  heal: nothingToHeal,
};

export const redisStop: Fault = {
  what: 'Redis frozen (SIGSTOP): connections stay open and nothing is answered',
  seconds: { full: 30, short: 5 },
  losesLeases: false,
  inject: async (bed, _random, signal) => {
    await bed.redis.pause();
    const before = bed.load.promised.length;
    await until(() => false, signal, 1_000);
    bed.count('runs accepted meanwhile', bed.load.promised.length - before);
  },
  heal: (bed) => bed.redis.resume(),
};

const FILLER_DB = 1;
const FILLER = 'x'.repeat(20_000);

async function evicted(client: Redis): Promise<number> {
  return Number(/evicted_keys:(\d+)/.exec(await client.info('stats'))?.[1] ?? 0);
}

export const redisEviction: Fault = {
  what: 'Redis with too little memory and an evicting policy: it drops keys of the queue',
  losesLeases: false,
  inject: (bed, random, signal) =>
    withRedis(
      bed,
      async (client) => {
        const before = await evicted(client);
        await client.config('SET', 'maxmemory-policy', 'allkeys-lru');
        await client.config('SET', 'maxmemory', '4mb');
        await until(
          async () => {
            await client.set(`filler:${random.int(0, 1_000_000)}`, FILLER);
            return false;
          },
          signal,
          2,
        );
        bed.count('keys evicted', (await evicted(client)) - before);
      },
      FILLER_DB,
    ),
  heal: (bed) =>
    withRedis(
      bed,
      async (client) => {
        await client.config('SET', 'maxmemory', '0');
        await client.config('SET', 'maxmemory-policy', 'noeviction');
        await client.flushdb();
      },
      FILLER_DB,
    ),
};

const COPIES = 10;

/** Every run in ten hints: alone, and together with others. */
function copies(runIds: readonly string[], random: Random): Hint[] {
  const hint = (ids: readonly string[]): Hint => ({
    lane: LANE,
    priority: random.int(0, 4),
    runIds: ids,
    label: 'again',
    delayMs: random.pick([0, 0, 0, 500, 2_000]),
  });
  return Array.from({ length: COPIES }, (_, copy) =>
    copy % 2 === 0 ? runIds.map((runId) => hint([runId])) : [hint(runIds)],
  ).flat();
}

export const duplicateHints: Fault = {
  what: 'every hint ten times more, straight into the queue',
  losesLeases: false,
  inject: async (bed, random, signal) => {
    const queue = new BullHintQueue(
      redisBackend({ url: bed.redis.url, logger: silentLogger() }),
      silentLogger(),
    );
    await queue.check();
    let hinted = bed.load.promised.length;
    await until(
      async () => {
        const fresh = bed.load.promised.slice(hinted, hinted + 200).map(({ runId }) => runId);
        hinted += fresh.length;
        if (fresh.length > 0) await queue.publish(copies(fresh, random));
        bed.count('further hints', fresh.length * COPIES);
        return false;
      },
      signal,
      20,
    );
    await queue.close();
  },
  heal: nothingToHeal,
};
