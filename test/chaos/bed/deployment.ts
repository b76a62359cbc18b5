/** What a bed is made of, and how it is started. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPool, runMigrations } from '@spine/database';
import type { Pool } from '@spine/database';
import { freePort, runDirectory, startRedisServer } from '@spine/testing';
import type { RedisServer } from '@spine/testing';
import { ChaosPostgres } from './chaos-postgres.ts';
import { ManagedProcess } from './managed-process.ts';
import { TcpProxy } from './tcp-proxy.ts';

/** The least the settings allow: what takes a lease to end takes seconds. */
export const LEASE_SECONDS = 5;

/** A process with its own ways to the two servers. */
export interface Service {
  readonly process: ManagedProcess;
  /** A lane that this worker alone serves; null for the others. */
  readonly ownLane: string | null;
  readonly postgres: TcpProxy;
  readonly redis: TcpProxy;
}

export interface BedOptions {
  /** Worker processes. Default 3. */
  readonly workers?: number;
  /** Where the services' logs are kept: a folder, created when missing. */
  readonly logDirectory: string;
}

/** The most params or a result may have here, in bytes of JSON. */
export const PAYLOAD_LIMIT = 1024 * 1024;
/** From here on they are kept outside of their run's row. */
export const INLINE_LIMIT = 128 * 1024;

type Kind = 'api' | 'worker' | 'scheduler';

/** Few, so that work waits: a queue that is empty has nothing to lose. */
const SLOTS = 8;
const ENTRIES: Readonly<Record<Kind, string>> = {
  api: '../../../services/api/dist/main.js',
  worker: '../worker/main.ts',
  scheduler: '../../../services/scheduler/dist/main.js',
};

function entryOf(kind: Kind): string {
  return fileURLToPath(new URL(ENTRIES[kind], import.meta.url));
}

function withPort(url: string, port: number): string {
  const changed = new URL(url);
  changed.port = String(port);
  return changed.href;
}

export type Undo = () => Promise<unknown>;

export interface Deployment {
  readonly directory: string;
  readonly postgres: ChaosPostgres;
  readonly redis: RedisServer;
  readonly admin: Pool;
  readonly api: Service;
  readonly workers: readonly Service[];
  readonly schedulers: readonly Service[];
  readonly metricsPorts: ReadonlyMap<string, number>;
}

/** Starts the servers and makes the processes, not started yet. What it started is undone by `undos`, the last one first. */
export async function startDeployment(options: BedOptions, undos: Undo[]): Promise<Deployment> {
  await mkdir(options.logDirectory, { recursive: true });
  const directory = await mkdtemp(join(runDirectory(), 'bed-'));
  undos.push(() => rm(directory, { recursive: true, force: true }));
  const postgres = await ChaosPostgres.start(directory);
  undos.push(() => postgres.stop());
  const redis = await startRedisServer();
  undos.push(() => redis.stop());
  const front = await TcpProxy.start(() => postgres.port);
  undos.push(() => front.stop());
  await runMigrations({ connectionString: postgres.url });
  const admin = createPool({
    connectionString: withPort(postgres.url, front.port),
    role: null,
    max: 4,
    applicationName: 'chaos',
    // A crashed server breaks idle connections; the next query opens another.
    onError: () => undefined,
  });
  undos.push(() => admin.end());

  const metricsPorts = new Map<string, number>();
  const add = async (kind: Kind, name: string): Promise<Service> => {
    const toPostgres = await TcpProxy.start(() => postgres.port);
    undos.push(() => toPostgres.stop());
    const toRedis = await TcpProxy.start(() => redis.port);
    undos.push(() => toRedis.stop());
    const ownLane = kind === 'worker' ? `own-${name}` : null;
    const process = new ManagedProcess({
      name,
      entry: entryOf(kind),
      logFile: join(options.logDirectory, `${name}.log`),
      env: async () => {
        const healthPort = await freePort();
        if (kind === 'worker') metricsPorts.set(name, healthPort);
        return {
          SPINE_DATABASE_URL: withPort(postgres.url, toPostgres.port),
          SPINE_REDIS_URL: withPort(redis.url, toRedis.port),
          SPINE_DATABASE_POOL: '4',
          SPINE_DATA_DIR: directory,
          SPINE_LANES: ownLane === null ? 'default' : `default,${ownLane}`,
          SPINE_LEASE_SECONDS: String(LEASE_SECONDS),
          SPINE_LOG_LEVEL: 'info',
          SPINE_PAYLOAD_INLINE_KB: String(INLINE_LIMIT / 1024),
          SPINE_PAYLOAD_MAX_MB: String(PAYLOAD_LIMIT / 1024 / 1024),
          SPINE_SHUTDOWN_GRACE_SECONDS: '1',
          SPINE_WORKER_CONCURRENCY: String(SLOTS),
          SPINE_PORT: '0',
          ...(kind === 'api' ? {} : { SPINE_HEALTH_PORT: String(healthPort) }),
          CHAOS_JOURNAL: journalIn(directory),
        };
      },
    });
    undos.push(() => process.end());
    return { process, ownLane, postgres: toPostgres, redis: toRedis };
  };
  const workers: Service[] = [];
  for (let number = 1; number <= (options.workers ?? 3); number += 1) {
    workers.push(await add('worker', `worker-${number}`));
  }
  const schedulers = [await add('scheduler', 'scheduler-1'), await add('scheduler', 'scheduler-2')];
  const api = await add('api', 'api');
  return { directory, postgres, redis, admin, api, workers, schedulers, metricsPorts };
}

export function journalIn(directory: string): string {
  return join(directory, 'journal');
}
