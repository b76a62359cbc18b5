/** The other side of the paired benchmark: plain BullMQ on the same Redis, one job per run, its own worker loop. */
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';
import { Countdown, rateSince } from '../countdown.ts';
import type { Contestant, Environment, Load, Phases } from '../model.ts';

const CHUNK = 500;
const OPTIONS = { attempts: 1, removeOnComplete: { count: 1_000 }, removeOnFail: { count: 1_000 } } as const;

export interface RawQueue {
  readonly queue: Queue;
  /** A worker that runs once told to. */
  worker(handler: () => Promise<unknown>, slots: number): Worker;
  add(jobs: number): Promise<void>;
  close(): Promise<void>;
}

export async function openRawQueue({ redisUrl, prefix }: Environment): Promise<RawQueue> {
  const connect = (): Redis => new Redis(redisUrl, { maxRetriesPerRequest: null });
  const connection = connect();
  const workerConnection = connect();
  const queue = new Queue('raw', { connection, prefix });
  await queue.waitUntilReady();
  return {
    queue,
    worker: (handler, slots) =>
      new Worker('raw', handler, {
        connection: workerConnection,
        prefix,
        concurrency: slots,
        autorun: false,
      }),
    add: async (jobs) => {
      if (jobs === 1) {
        await queue.add('noop', {}, OPTIONS);
        return;
      }
      for (let from = 0; from < jobs; from += CHUNK) {
        const count = Math.min(CHUNK, jobs - from);
        await queue.addBulk(Array.from({ length: count }, () => ({ name: 'noop', data: {}, opts: OPTIONS })));
      }
    },
    close: async () => {
      await queue.obliterate({ force: true });
      await queue.close();
      connection.disconnect();
      workerConnection.disconnect();
    },
  };
}

async function measure(environment: Environment, { jobs, slots }: Load): Promise<Phases> {
  const raw = await openRawQueue(environment);
  const completed = new Countdown();
  try {
    let from = performance.now();
    await raw.add(jobs);
    const submit = rateSince(from, jobs);

    const worker = raw.worker(() => Promise.resolve(undefined), slots);
    worker.on('completed', () => completed.tick());
    await worker.waitUntilReady();
    completed.start(jobs);
    from = performance.now();
    void worker.run();
    await completed.reached;
    const drain = rateSince(from, jobs);

    completed.start(jobs);
    from = performance.now();
    await raw.add(jobs);
    await completed.reached;
    const endToEnd = rateSince(from, jobs);
    await worker.close();
    return { submit, drain, endToEnd };
  } finally {
    await raw.close();
  }
}

export const rawBullmq: Contestant = { name: 'raw BullMQ', measure };
