/** Faults of Postgres for everybody: it crashes, or has no connection left. */
import pg from 'pg';
import type { Bed } from '../bed/bed.ts';
import { pause, until } from '../pause.ts';
import type { Fault } from './fault.ts';

export const postgresRestart: Fault = {
  what: 'Postgres ended at once (immediate shutdown or kill -9), then started again with crash recovery',
  // A lease that could not be renewed in time is lost.
  losesLeases: true,
  inject: async (bed, random, signal) => {
    await pause(random.int(0, 3_000), signal);
    await bed.postgres.crash(random.pick(['SIGQUIT', 'SIGKILL'] as const));
    await pause(random.int(0, 1_000), signal);
    await bed.postgres.recover();
    bed.count('Postgres crashes');
  },
  heal: async (bed) => {
    await bed.admin.query('SELECT 1');
  },
};

const TOO_MANY = '53300';
const GRABBERS = 4;

function isTooMany(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === TOO_MANY;
}

/** Takes a connection; null when there is none left. */
async function grab(url: string): Promise<pg.Client | null> {
  const client = new pg.Client({ connectionString: url, application_name: 'chaos-hog' });
  client.on('error', () => undefined);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.end().catch(() => undefined);
    if (isTooMany(error)) return null;
    throw error;
  }
}

/** As the superuser, for whom Postgres keeps a few. */
async function breakServices(bed: Bed): Promise<number> {
  const client = new pg.Client({ connectionString: bed.postgres.superuserUrl });
  await client.connect();
  try {
    const { rowCount } = await client.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'spine-%'`,
    );
    return rowCount ?? 0;
  } finally {
    await client.end();
  }
}

export const connectionsExhausted: Fault = {
  what: 'every connection of Postgres taken by somebody else, those of the services among them',
  losesLeases: true,
  inject: async (bed, _random, signal) => {
    const held: pg.Client[] = [];
    const hog = (): Promise<boolean> =>
      until(
        async () => {
          const client = await grab(bed.postgres.url);
          if (client !== null) held.push(client);
          return false;
        },
        signal,
        5,
      );
    try {
      const hogs = Array.from({ length: GRABBERS }, hog);
      // Once, when few are left, so that the services have to come back for theirs.
      await until(() => held.length >= 30, signal);
      bed.count('connections broken', await breakServices(bed));
      await Promise.all(hogs);
      bed.count('connections held', held.length);
    } finally {
      await Promise.all(held.map((client) => client.end().catch(() => undefined)));
    }
  },
  heal: () => Promise.resolve(),
};
