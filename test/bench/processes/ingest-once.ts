/**
 * Ingests one file by a run, in a process that has done nothing else, and says how long that took and how far its memory
 * grew: `ingest-once.ts <database> <file>`.
 */
import { dirname } from 'node:path';
import { createEngine, HandlerRegistry, MemoryHintQueue, operationSpec, Worker } from '@spine/execution';
import { INGEST_WEEK, registerFinraOtc } from '@spine/finra-otc';
import { createLogger, Metrics } from '@spine/observability';

const [databaseUrl, path] = process.argv.slice(2);
if (databaseUrl === undefined || path === undefined) throw new TypeError('a database and a file are needed');

const SAMPLE_EVERY_MS = 20;

const engine = await createEngine({
  databaseUrl,
  redisUrl: null,
  registry: registerFinraOtc(new HandlerRegistry(), { dataRoots: [dirname(path)] }),
  logger: createLogger({ service: 'bench-ingest', level: 'warn' }),
  metrics: new Metrics('bench-ingest'),
  service: 'bench-ingest',
  queue: new MemoryHintQueue(),
});
const worker = new Worker({ ...engine, lanes: ['default'], eagerStart: false });
await worker.start();

const before = process.memoryUsage.rss();
let most = before;
const sampling = setInterval(() => {
  most = Math.max(most, process.memoryUsage.rss());
}, SAMPLE_EVERY_MS);
const from = performance.now();
const done = await engine.dispatcher.submitAndWait(
  operationSpec(INGEST_WEEK, { file_path: path }, { maxRetries: 0 }),
  { timeoutMs: 30 * 60_000 },
);
const milliseconds = performance.now() - from;
clearInterval(sampling);
process.send?.({
  milliseconds,
  grown_bytes: most - before,
  status: done.type === 'run' ? done.run.status : done.type,
  result: done.type === 'run' ? (done.run.result ?? done.run.error) : null,
});
await worker.stop();
await engine.close();
process.disconnect?.();
