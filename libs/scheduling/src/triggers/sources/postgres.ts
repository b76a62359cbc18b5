/** NOTIFY as a source: one process listens, under a lease. What is sent while none listens is gone. */
import { activeTriggers, NotificationListener } from '@spine/database';
import type { Db } from '@spine/database';
import { Ticker } from '@spine/execution';
import { MessageLine } from './append.ts';
import type { ChannelOptions } from './append.ts';

export interface PostgresSourceOptions extends ChannelOptions {
  readonly db: Db;
  readonly connectionString: string;
  /** How often the triggers are looked at. Default 2 s. */
  readonly everyMs?: number;
}

/** To be started and stopped like the maintenance services; it listens only while it holds its lease. */
export function createPostgresSource(options: PostgresSourceOptions): Ticker {
  const { db, connectionString, logger, lease, everyMs = 2_000 } = options;
  const line = new MessageLine('postgres', options);
  let listener: NotificationListener | null = null;
  let listening = '';
  const follow = async (channels: readonly string[]): Promise<void> => {
    if (channels.join() === listening) return;
    await listener?.stop();
    listening = channels.join();
    listener = null;
    if (channels.length === 0) return;
    listener = new NotificationListener({
      connectionString,
      channels,
      applicationName: 'spine-trigger-source',
      onNotification: (channel, payload) => line.push(channel, payload ?? ''),
      onError: (error) => logger.warn({ err: error }, 'the connection that listens for triggers broke'),
    });
    listener.start();
  };
  const ticker = new Ticker({
    name: 'postgres-source',
    everyMs,
    logger,
    tick: async () => {
      const triggers = await activeTriggers(db, 'postgres');
      await follow([...new Set(triggers.map(({ channel }) => channel))].sort());
      return false;
    },
  });
  return ticker.under({
    hold: async () => {
      const held = await lease.hold();
      if (!held) await follow([]);
      return held;
    },
    release: async () => {
      await follow([]);
      await line.drain();
      await lease.release();
    },
  });
}
