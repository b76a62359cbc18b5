/** One Postgres with full durability and one Redis, for everything that is measured in a run. */
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { cpus, loadavg, tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createPool, runMigrations } from '@spine/database';
import type { Pool } from '@spine/database';
import { startEmbeddedPostgres } from '@spine/database/embedded';
import type { EmbeddedPostgres } from '@spine/database/embedded';
import { startRedisServer } from '@spine/testing';
import type { RedisServer } from '@spine/testing';
import type { Environment } from './model.ts';
import type { Machine } from './report.ts';

export interface LabOptions {
  /** Further Postgres settings. Durability cannot be changed. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface Lab {
  readonly postgres: EmbeddedPostgres;
  readonly redis: RedisServer;
  /** As the owner of the schema, on the lab's own database. */
  readonly admin: Pool;
  readonly databaseUrl: string;
  /** A folder of its own; gone when it closes. */
  readonly directory: string;
  /** Measures on the lab's database; its run tables are emptied between phases. */
  environment(prefix: string): Environment;
  countRuns(): Promise<number>;
  /** Another migrated database on the same server. */
  createDatabase(name: string): Promise<string>;
  machine(loadBefore: number): Promise<Machine>;
  close(): Promise<void>;
}

/** What the engine's tables are emptied with. */
const EMPTY = 'TRUNCATE runs, run_events, dead_letters';
const REFRESH = 'VACUUM ANALYZE runs, run_events';

/** The load of the machine now, before the lab's own servers start. */
export const loadNow = (): number => loadavg()[0] ?? 0;

export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const directory = await mkdtemp(join(tmpdir(), 'spine-bench-'));
  // Else, run by root, the cluster would be made elsewhere, where the database user can reach it, and stay there.
  await chmod(directory, 0o755);
  const settings = options.settings === undefined ? {} : { settings: options.settings };
  const postgres = await startEmbeddedPostgres({ dataDir: join(directory, 'postgres'), ...settings });
  const redis = await startRedisServer();
  const databaseUrl = postgres.connectionString;
  await runMigrations({ connectionString: databaseUrl });
  const admin = createPool({ connectionString: databaseUrl, role: null, max: 2 });
  return {
    postgres,
    redis,
    admin,
    databaseUrl,
    directory,
    environment: (prefix) => ({
      databaseUrl,
      redisUrl: redis.url,
      prefix,
      reset: async () => {
        await admin.query(EMPTY);
        await admin.query(REFRESH);
        await admin.query('CHECKPOINT');
      },
    }),
    countRuns: async () => {
      const { rows } = await admin.query<{ n: number }>('SELECT count(*) AS n FROM runs');
      return rows[0]?.n ?? 0;
    },
    createDatabase: (name) => createDatabase(postgres, name),
    machine: (loadBefore) => describeMachine(admin, redis, loadBefore),
    close: async () => {
      await admin.end();
      await redis.stop();
      await postgres.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function createDatabase(postgres: EmbeddedPostgres, name: string): Promise<string> {
  const root = createPool({ connectionString: postgres.adminConnectionString, role: null, max: 1 });
  try {
    await root.query(`CREATE DATABASE "${name.replaceAll('"', '""')}" OWNER spine`);
  } finally {
    await root.end();
  }
  const url = new URL(postgres.connectionString);
  url.pathname = `/${name}`;
  await runMigrations({ connectionString: url.href });
  return url.href;
}

async function describeMachine(admin: Pool, redis: RedisServer, loadBefore: number): Promise<Machine> {
  const { rows } = await admin.query<{ postgres: string; durability: string }>(
    `SELECT current_setting('server_version') AS postgres, concat_ws('/', current_setting('fsync'),
       current_setting('synchronous_commit'), current_setting('full_page_writes')) AS durability`,
  );
  const client = new Redis(redis.url, { maxRetriesPerRequest: 1 });
  const info = await client.info('server');
  client.disconnect();
  return {
    cores: cpus().length,
    model: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    node: process.versions.node,
    postgres: rows[0]?.postgres ?? 'unknown',
    redis: /(?:valkey|redis)_version:(\S+)/.exec(info)?.[1] ?? 'unknown',
    durability: rows[0]?.durability ?? 'unknown',
    loadBefore,
  };
}
