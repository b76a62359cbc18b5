/** Spine's side of the paired benchmark: the engine as the services use it, on durable Postgres and Redis. */
import { z } from 'zod';
import { newRunId } from '@spine/core';
import { createEngine, HandlerRegistry, taskSpec, Worker } from '@spine/execution';
import type { Engine } from '@spine/execution';
import { createLogger, Metrics } from '@spine/observability';
import { Countdown, rateSince } from '../countdown.ts';
import type { Contestant, Environment, Load, Phases } from '../model.ts';
import { assertAllCompleted, untilAllSettled } from '../verify.ts';

export interface SpineBench {
  readonly engine: Engine;
  /** Starts a worker on lane `default`, to which runs come through the queue, or, for `eager`, from the submit itself. */
  startWorker(slots: number, start?: 'queued' | 'eager'): Promise<Worker>;
  close(): Promise<void>;
}

/** @param onNoop called by every run of `task:noop`. */
export async function openSpine(environment: Environment, onNoop: () => void): Promise<SpineBench> {
  const registry = new HandlerRegistry().registerTask(
    'noop',
    { description: 'Does nothing.', params: z.strictObject({}) },
    onNoop,
  );
  const { databaseUrl, redisUrl, prefix } = environment;
  const engine = await createEngine({
    databaseUrl,
    redisUrl,
    registry,
    logger: createLogger({ service: 'bench', level: 'warn' }),
    metrics: new Metrics('bench'),
    service: 'bench',
    queuePrefix: prefix,
  });
  await engine.queue.check();
  return {
    engine,
    startWorker: async (slots, start = 'queued') => {
      const worker = new Worker({ ...engine, lanes: ['default'], slots, eagerStart: start === 'eager' });
      await worker.start();
      await engine.capacity.refresh();
      return worker;
    },
    close: () => engine.close(),
  };
}

/** A worker that is registered, so that hints are cut for it, and runs nothing. Answers with what ends it. */
export async function announceWorker(
  { engine, startWorker }: SpineBench,
  slots: number,
): Promise<() => Promise<void>> {
  const worker = await startWorker(slots);
  await worker.stop(0);
  const set = (status: string): Promise<unknown> =>
    engine.pool.query(`UPDATE workers SET status = $2, last_seen_at = now() WHERE id = $1`, [
      worker.workerId,
      status,
    ]);
  await set('active');
  await engine.capacity.refresh();
  return async () => {
    await set('stopped');
  };
}

async function measure(environment: Environment, { jobs, slots }: Load): Promise<Phases> {
  await environment.reset();
  const handled = new Countdown();
  const bench = await openSpine(environment, () => handled.tick());
  const { engine } = bench;
  const specs = Array.from({ length: jobs }, () => taskSpec('noop'));
  try {
    const unannounce = await announceWorker(bench, slots);
    let since = newRunId();
    let from = performance.now();
    await engine.dispatcher.submitAll(specs);
    const submit = rateSince(from, jobs);
    await engine.dispatcher.drain();
    await unannounce();

    handled.start(jobs);
    from = performance.now();
    const worker = await bench.startWorker(slots);
    await handled.reached;
    await untilAllSettled(engine.pool);
    const drain = rateSince(from, jobs);
    await assertAllCompleted(engine.pool, since, jobs);

    await environment.reset();
    since = newRunId();
    handled.start(jobs);
    from = performance.now();
    await engine.dispatcher.submitAll(specs);
    await handled.reached;
    await untilAllSettled(engine.pool);
    const endToEnd = rateSince(from, jobs);
    await assertAllCompleted(engine.pool, since, jobs);
    await worker.stop();
    return { submit, drain, endToEnd };
  } finally {
    await bench.close();
  }
}

export const spine: Contestant = { name: 'Spine', measure };
