/**
 * One deployment under test: a durable Postgres, a Redis, an API, workers and schedulers, each process with a proxy of
 * its own to either server.
 *
 * 1. Everything listens on loopback, on ports nobody else asked for.
 * 2. The harness reaches Postgres through a proxy too, so that a restart on another port does not concern it; no fault
 *    touches that one.
 * 3. `stop` ends everything that was started, also when the start failed half-way, and in whatever state it is.
 */
import type { Pool } from '@spine/database';
import type { RedisServer } from '@spine/testing';
import { LoadGenerator } from '../load/generator.ts';
import type { ChaosPostgres } from './chaos-postgres.ts';
import { journalIn, LEASE_SECONDS, startDeployment } from './deployment.ts';
import type { BedOptions, Deployment, Service, Undo } from './deployment.ts';
import { MetricsSampler } from './metrics-sampler.ts';

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
  readonly #undos: Undo[];
  readonly #problems: string[] = [];
  readonly #effects = new Map<string, number>();
  #losesLeases = false;

  private constructor(parts: Deployment, undos: Undo[]) {
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
    const undos: Undo[] = [];
    try {
      const bed = new Bed(await startDeployment(options, undos), undos);
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
  atEnd(undo: Undo): void {
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

/** Runs every undo, the last one first, and throws the first error at the end. */
async function undo(undos: Undo[]): Promise<void> {
  const errors: unknown[] = [];
  for (let next = undos.pop(); next !== undefined; next = undos.pop()) {
    await next().catch((error: unknown) => errors.push(error));
  }
  if (errors.length > 0) throw new AggregateError(errors, `stopping: ${errors.map(String).join('; ')}`);
}
