/** The other side of the paired benchmark: plain BullMQ on the same Redis, one job per run, its own worker loop. */
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import type { BenchEnvironment, IdleLatency, Phases } from './model.ts';
import { percentiles } from './statistics.ts';

const CHUNK = 500;
const OPTIONS = { attempts: 1, removeOnComplete: { count: 1_000 }, removeOnFail: { count: 1_000 } } as const;

function connect(url: string): Redis {
  return new Redis(url, { maxRetriesPerRequest: null });
}

async function addAll(queue: Queue, jobs: number): Promise<void> {
  for (let from = 0; from < jobs; from += CHUNK) {
    const count = Math.min(CHUNK, jobs - from);
    await queue.addBulk(Array.from({ length: count }, () => ({ name: 'noop', data: {}, opts: OPTIONS })));
  }
}

async function completed(worker: Worker, jobs: number): Promise<void> {
  let left = jobs;
  await new Promise<void>((resolve) => {
    worker.on('completed', () => {
      left -= 1;
      if (left === 0) resolve();
    });
  });
  worker.removeAllListeners('completed');
}

export async function measureRaw(
  environment: BenchEnvironment,
  jobs: number,
  concurrency: number,
): Promise<Phases> {
  const connection = connect(environment.redisUrl);
  const workerConnection = connect(environment.redisUrl);
  const { prefix } = environment;
  const queue = new Queue('raw', { connection, prefix });
  const open = (): Worker =>
    new Worker('raw', () => Promise.resolve(undefined), {
      connection: workerConnection,
      prefix,
      concurrency,
      autorun: false,
    });
  try {
    await queue.waitUntilReady();
    let from = performance.now();
    await addAll(queue, jobs);
    const submit = jobs / ((performance.now() - from) / 1000);

    const worker = open();
    await worker.waitUntilReady();
    from = performance.now();
    const drained = completed(worker, jobs);
    void worker.run();
    await drained;
    const drain = jobs / ((performance.now() - from) / 1000);

    from = performance.now();
    const done = completed(worker, jobs);
    await addAll(queue, jobs);
    await done;
    const endToEnd = jobs / ((performance.now() - from) / 1000);
    await worker.close();
    return { submit, drain, endToEnd };
  } finally {
    await queue.obliterate({ force: true });
    await queue.close();
    connection.disconnect();
    workerConnection.disconnect();
  }
}

export async function measureRawIdle(environment: BenchEnvironment, samples: number): Promise<IdleLatency> {
  const connection = connect(environment.redisUrl);
  const workerConnection = connect(environment.redisUrl);
  const { prefix } = environment;
  const queue = new Queue('idle', { connection, prefix });
  let started: (at: number) => void = () => undefined;
  const worker = new Worker(
    'idle',
    () => {
      started(performance.now());
      return Promise.resolve(undefined);
    },
    { connection: workerConnection, prefix, concurrency: 10 },
  );
  try {
    await worker.waitUntilReady();
    const times: number[] = [];
    for (let sample = 0; sample < samples + 20; sample += 1) {
      const startedAt = new Promise<number>((resolve) => {
        started = resolve;
      });
      const from = performance.now();
      await queue.add('noop', {}, OPTIONS);
      const took = (await startedAt) - from;
      if (sample >= 20) times.push(took);
      await environment.settle();
    }
    return percentiles(times);
  } finally {
    await worker.close();
    await queue.obliterate({ force: true });
    await queue.close();
    connection.disconnect();
    workerConnection.disconnect();
  }
}
