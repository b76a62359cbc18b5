/** PUBLISH as a source: one process subscribes, under a lease. What is sent while none is subscribed is gone. */
import { Redis } from 'ioredis';
import { activeTriggers } from '@spine/database';
import type { Db } from '@spine/database';
import { Ticker } from '@spine/execution';
import { MessageLine } from './append.ts';
import type { ChannelOptions } from './append.ts';

export interface RedisSourceOptions extends ChannelOptions {
  readonly db: Db;
  readonly redisUrl: string;
  /** How often the triggers are looked at. Default 2 s. */
  readonly everyMs?: number;
}

/** To be started and stopped like the maintenance services; it is subscribed only while it holds its lease. */
export function createRedisSource(options: RedisSourceOptions): Ticker {
  const { db, redisUrl, logger, lease, everyMs = 2_000 } = options;
  const line = new MessageLine('redis', options);
  let client: Redis | null = null;
  const subscribed = new Set<string>();
  const disconnect = (): void => {
    client?.disconnect();
    client = null;
    subscribed.clear();
  };
  const follow = async (channels: ReadonlySet<string>): Promise<void> => {
    if (channels.size === 0) {
      disconnect();
      return;
    }
    client ??= connect();
    const gone = [...subscribed].filter((channel) => !channels.has(channel));
    const fresh = [...channels].filter((channel) => !subscribed.has(channel));
    if (gone.length > 0) await client.unsubscribe(...gone);
    if (fresh.length > 0) await client.subscribe(...fresh);
    for (const channel of gone) subscribed.delete(channel);
    for (const channel of fresh) subscribed.add(channel);
  };
  // ioredis connects again and subscribes again by itself.
  const connect = (): Redis => {
    const fresh = new Redis(redisUrl, {
      connectionName: 'spine-trigger-source',
      lazyConnect: true,
      maxRetriesPerRequest: 1,
      connectTimeout: 5_000,
    });
    fresh.on('error', (error) => logger.warn({ err: error }, 'the Redis connection of the triggers broke'));
    fresh.on('message', (channel, message) => line.push(channel, message));
    return fresh;
  };
  const ticker = new Ticker({
    name: 'redis-source',
    everyMs,
    logger,
    tick: async () => {
      const triggers = await activeTriggers(db, 'redis');
      await follow(new Set(triggers.map(({ channel }) => channel)));
      return false;
    },
  });
  return ticker.under({
    hold: async () => {
      const held = await lease.hold();
      if (!held) disconnect();
      return held;
    },
    release: async () => {
      disconnect();
      await line.drain();
      await lease.release();
    },
  });
}
