/** A worker process whose handler takes a while: `slow-worker.ts <database> <redis> <prefix> <slots> <milliseconds>`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { createEngine, HandlerRegistry, Worker } from '@spine/execution';
import { createLogger, Metrics } from '@spine/observability';

const [databaseUrl, redisUrl, prefix, slots, milliseconds] = process.argv.slice(2);
if (databaseUrl === undefined || redisUrl === undefined || prefix === undefined) {
  throw new TypeError('slow-worker needs a database, a Redis and a prefix');
}

const registry = new HandlerRegistry().registerTask(
  'slow',
  { description: 'Waits.', params: z.strictObject({}) },
  async () => {
    await sleep(Number(milliseconds));
  },
);
const engine = await createEngine({
  databaseUrl,
  redisUrl,
  registry,
  logger: createLogger({ service: 'bench-worker', level: 'warn' }),
  metrics: new Metrics('bench-worker'),
  service: 'bench-worker',
  queuePrefix: prefix,
});
const worker = new Worker({ ...engine, lanes: ['default'], slots: Number(slots) });
await worker.start();
process.send?.({ type: 'ready', worker_id: worker.workerId });
await new Promise<void>((resolve) => {
  process.once('SIGTERM', resolve);
  process.once('disconnect', resolve);
});
await worker.stop();
await engine.close();
process.disconnect?.();
