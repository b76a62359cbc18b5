/** The event buses under test, each with a second one that stands for another process. */
import { newId } from '@spine/core';
import { createPool } from '@spine/database';
import { MemoryEventBus, PostgresEventBus, RedisEventBus } from '@spine/execution';
import type { EventBus } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import { createTestDatabase, testRedisUrl } from '@spine/testing';

export interface OpenBuses {
  readonly bus: EventBus;
  /** Another process's; in memory there is none, and it is the same. */
  readonly other: EventBus;
  /** One more, for a test that needs one of its own. */
  make(options?: { readonly logger?: Logger; readonly mostWaiting?: number }): EventBus;
  close(): Promise<void>;
}

function opened(make: OpenBuses['make'], alone: boolean, closeServer: () => Promise<void>): OpenBuses {
  const made: EventBus[] = [];
  const remember: OpenBuses['make'] = (options) => {
    const bus = make(options);
    made.push(bus);
    return bus;
  };
  const bus = remember();
  return {
    bus,
    other: alone ? bus : remember(),
    make: remember,
    close: async () => {
      await Promise.all(made.map((each) => each.close()));
      await closeServer();
    },
  };
}

export function openMemoryBuses(): Promise<OpenBuses> {
  const make: OpenBuses['make'] = (options = {}) =>
    new MemoryEventBus({ logger: silentLogger(), ...options });
  return Promise.resolve(opened(make, true, () => Promise.resolve()));
}

export async function openRedisBuses(): Promise<OpenBuses> {
  const url = await testRedisUrl();
  const prefix = `t${newId()}`;
  const make: OpenBuses['make'] = (options = {}) =>
    new RedisEventBus({ url, prefix, logger: silentLogger(), ...options });
  return opened(make, false, () => Promise.resolve());
}

export async function openPostgresBuses(): Promise<OpenBuses> {
  const { connectionString, drop } = await createTestDatabase();
  const db = createPool({ connectionString });
  const make: OpenBuses['make'] = (options = {}) =>
    new PostgresEventBus({
      db,
      connectionString,
      applicationName: 'spine-bus-test',
      logger: silentLogger(),
      ...options,
    });
  return opened(make, false, async () => {
    await db.end();
    await drop();
  });
}
