/**
 * One deployment under test: a durable Postgres, a Redis, an API, workers and schedulers, each process with a proxy of
 * its own to either server.
 *
 * 1. Everything listens on loopback, on ports nobody else asked for.
 * 2. The harness reaches Postgres through a proxy too, so that a restart on another port does not concern it; no fault
 *    touches that one.
 * 3. `stop` ends everything that was started, also when the start failed half-way, and in whatever state it is.
 */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createPool, runMigrations } from '@spine/database';
import type { Pool } from '@spine/database';
import { freePort, runDirectory, startRedisServer } from '@spine/testing';
import type { RedisServer } from '@spine/testing';
import { LoadGenerator } from '../load/generator.ts';
import { ChaosPostgres } from './chaos-postgres.ts';
import { ManagedProcess } from './managed-process.ts';
import { MetricsSampler } from './metrics-sampler.ts';
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

export class Bed {
  readonly postgres: ChaosPostgres;
  readonly redis: RedisServer;
  /** As the owner of the tables. */
  readonly admin: Pool;
  readonly api: Service;
  readonly workers: readonly Service[];
  readonly schedulers: readonly Service[];
  readonly load: LoadGenerator;
  readonly metrics: MetricsSampler;
  readonly directory: string;
  readonly #undos: (() => Promise<unknown>)[];
  readonly #problems: string[] = [];
  readonly #effects = new Map<string, number>();
  #losesLeases = false;

  private constructor(parts: Parts, undos: (() => Promise<unknown>)[]) {
    this.postgres = parts.postgres;
    this.redis = parts.redis;
    this.admin = parts.admin;
    this.api = parts.api;
    this.workers = parts.workers;
    this.schedulers = parts.schedulers;
    this.directory = parts.directory;
    this.#undos = undos;
    this.load = new LoadGenerator({ api: () => this.apiUrl, problem: (text) => this.problem(text) });
    this.metrics = new MetricsSampler(parts.metricsPorts);
  }

  /** Starts everything and waits until all processes are ready. */
  static async start(options: BedOptions): Promise<Bed> {
    const undos: (() => Promise<unknown>)[] = [];
    try {
      const bed = new Bed(await startParts(options, undos), undos);
      await Promise.all(bed.services.map((service) => service.process.start()));
      bed.metrics.start();
      undos.push(() => bed.metrics.stop());
      return bed;
    } catch (error) {
      await undo(undos);
      throw error;
    }
  }

  get services(): readonly Service[] {
    return [this.api, ...this.workers, ...this.schedulers];
  }

  get apiUrl(): string | null {
    const url = this.api.process.ready?.['url'];
    return typeof url === 'string' ? url : null;
  }

  get journalFile(): string {
    return journalIn(this.directory);
  }

  /** Has something undone before what the bed was made of. */
  atEnd(undo: () => Promise<unknown>): void {
    this.#undos.push(undo);
  }

  /** Runs the worker process holds now. */
  async runsHeldBy(worker: Service): Promise<number> {
    const { rows } = await this.admin.query<{ n: number }>(
      `SELECT count(*)::int AS n FROM runs r JOIN workers w ON w.id = r.lease_owner
       WHERE r.status = 'running' AND w.pid = $1`,
      [worker.process.pid ?? -1],
    );
    return rows[0]?.n ?? 0;
  }

  /** Workers whose process runs and whom Postgres has not heard of for a lease. */
  async silentWorkers(): Promise<string[]> {
    const { rows } = await this.admin.query<{ pid: number }>(
      `SELECT pid FROM workers WHERE last_seen_at > now() - $1 * interval '1 second'`,
      [LEASE_SECONDS],
    );
    const heard = new Set(rows.map(({ pid }) => pid));
    return this.workers
      .map(({ process }) => process)
      .filter(({ pid }) => !heard.has(pid ?? -1))
      .map(({ name }) => name);
  }

  /** Notes that a fault took effect: what never does anything proves nothing. */
  count(effect: string, by = 1): void {
    this.#effects.set(effect, (this.#effects.get(effect) ?? 0) + by);
  }

  get effects(): ReadonlyMap<string, number> {
    return this.#effects;
  }

  /** Notes something that must not be and that no SQL sees. */
  problem(text: string): void {
    this.#problems.push(text);
  }

  get problems(): readonly string[] {
    return this.#problems;
  }

  /** Whether this fault, or one before it on this bed, takes workers from their runs. */
  mayLoseLeases(nowToo: boolean): boolean {
    this.#losesLeases ||= nowToo;
    return this.#losesLeases;
  }

  async stop(): Promise<void> {
    await undo(this.#undos);
  }
}

interface Parts {
  readonly directory: string;
  readonly postgres: ChaosPostgres;
  readonly redis: RedisServer;
  readonly admin: Pool;
  readonly api: Service;
  readonly workers: readonly Service[];
  readonly schedulers: readonly Service[];
  readonly metricsPorts: ReadonlyMap<string, number>;
}

async function startParts(options: BedOptions, undos: (() => Promise<unknown>)[]): Promise<Parts> {
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

function journalIn(directory: string): string {
  return join(directory, 'journal');
}

/** Runs every undo, the last one first, and throws the first error at the end. */
async function undo(undos: (() => Promise<unknown>)[]): Promise<void> {
  const errors: unknown[] = [];
  for (let next = undos.pop(); next !== undefined; next = undos.pop()) {
    await next().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, `stopping: ${errors.map(String).join('; ')}`);
}
