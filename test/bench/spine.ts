/** Spine's side of the paired benchmark: the engine as the services use it, on durable Postgres and Redis. */
import { z } from 'zod';
import { createEngine, HandlerRegistry, taskSpec, Worker } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { createLogger, Metrics } from '@spine/observability';
import { assertAllCompleted } from './verify.ts';
import type { BenchEnvironment, IdleLatency, Phases } from './model.ts';
import { percentiles } from './statistics.ts';

/** Counts handler calls, so that nothing has to ask Postgres while it is measured. */
class Countdown {
  #left = 0;
  #resolve: () => void = () => undefined;
  reached: Promise<void> = Promise.resolve();

  start(count: number): void {
    this.#left = count;
    this.reached = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  tick(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#resolve();
  }
}

interface Bench {
  readonly engine: Engine;
  readonly handled: Countdown;
  readonly startWorker: () => Promise<Worker>;
  readonly started: { resolve: (at: number) => void };
  close(): Promise<void>;
}

async function open(environment: BenchEnvironment, concurrency: number): Promise<Bench> {
  const started = { resolve: (_at: number): void => undefined };
  const handled = new Countdown();
  const registry = new HandlerRegistry()
    .registerTask('noop', { description: 'Does nothing.', params: z.strictObject({}) }, () => {
      handled.tick();
    })
    .registerTask('stamp', { description: 'Tells when it started.', params: z.strictObject({}) }, () => {
      started.resolve(performance.now());
    });
  const metrics = new Metrics('bench');
  const logger = createLogger({ service: 'bench', level: 'warn' });
  const { databaseUrl, redisUrl, prefix } = environment;
  const engine = await createEngine({
    databaseUrl,
    redisUrl,
    registry,
    logger,
    metrics,
    service: 'bench',
    queuePrefix: prefix,
  });
  await engine.queue.check();
  return {
    engine,
    handled,
    started,
    startWorker: async () => {
      const worker = new Worker({ ...engine, lanes: ['default'], slots: concurrency });
      await worker.start();
      await engine.capacity.refresh();
      return worker;
    },
    close: () => engine.close(),
  };
}

/** Resolves when every handler was called and every run is settled in Postgres. */
async function allSettled(bench: Bench): Promise<void> {
  await bench.handled.reached;
  for (;;) {
    const { rows } = await bench.engine.pool.query<{ left: number }>(
      `SELECT count(*)::int AS left FROM runs WHERE status IN ('pending', 'queued', 'running')`,
    );
    if (rows[0]?.left === 0) return;
  }
}

/** Submit alone, then drain alone, then both at once. Rates in jobs per second. */
export async function measureSpine(
  environment: BenchEnvironment,
  jobs: number,
  concurrency: number,
): Promise<Phases> {
  const bench = await open(environment, concurrency);
  const { engine } = bench;
  const specs = Array.from({ length: jobs }, () => taskSpec('noop'));
  try {
    await environment.resetTables();
    // A worker is registered, so that hints are cut for it, but does not run yet.
    const idle = await bench.startWorker();
    await idle.stop(0);
    await engine.pool.query(`UPDATE workers SET status = 'active', last_seen_at = now()`);
    await engine.capacity.refresh();

    let from = performance.now();
    await engine.dispatcher.submitAll(specs);
    const submit = jobs / ((performance.now() - from) / 1000);
    await engine.dispatcher.drain();

    bench.handled.start(jobs);
    from = performance.now();
    const worker = await bench.startWorker();
    await allSettled(bench);
    const drain = jobs / ((performance.now() - from) / 1000);
    await assertAllCompleted(engine, jobs);
    await environment.resetTables();

    bench.handled.start(jobs);
    from = performance.now();
    await engine.dispatcher.submitAll(specs);
    await allSettled(bench);
    const endToEnd = jobs / ((performance.now() - from) / 1000);
    await assertAllCompleted(engine, jobs);
    await worker.stop();
    return { submit, drain, endToEnd };
  } finally {
    await bench.close();
  }
}

/** From the submit call to the handler's first line, one run at a time on an idle system. */
export async function measureSpineIdle(environment: BenchEnvironment, samples: number): Promise<IdleLatency> {
  const bench = await open(environment, 10);
  try {
    const worker = await bench.startWorker();
    const times: number[] = [];
    for (let sample = 0; sample < samples + 20; sample += 1) {
      const startedAt = new Promise<number>((resolve) => {
        bench.started.resolve = resolve;
      });
      const from = performance.now();
      await bench.engine.dispatcher.submit(taskSpec('stamp'));
      const took = (await startedAt) - from;
      // The first ones warm connections and prepared statements.
      if (sample >= 20) times.push(took);
      await environment.settle();
    }
    await worker.stop();
    return percentiles(times);
  } finally {
    await bench.close();
  }
}
