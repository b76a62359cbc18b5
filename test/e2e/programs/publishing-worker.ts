/**
 * A worker whose runs publish and stop on the way, each at its failpoint: it tells its parent and stays there until it is
 * killed. Called with the database's URL and a lane.
 */
import {
  createEngine,
  HandlerRegistry,
  MemoryHintQueue,
  registerBuiltinHandlers,
  Worker,
} from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { registerPublishing } from '../../integration/publish-support.ts';
import type { Failpoint } from '../../integration/publish-support.ts';

const [databaseUrl, lane] = process.argv.slice(2);
if (databaseUrl === undefined || lane === undefined) throw new TypeError('give a database URL and a lane');

/** Where each run stops. */
const failpoints = new Map<string, Failpoint>();

async function reached(runId: string, failpoint: Failpoint): Promise<void> {
  if (failpoints.get(runId) !== failpoint) return;
  process.send?.({ runId, failpoint });
  await new Promise(() => undefined);
}

const registry = registerPublishing(registerBuiltinHandlers(new HandlerRegistry()), {
  lane,
  onStart: (runId, failpoint) => failpoints.set(runId, failpoint),
  reached,
});
const engine = await createEngine({
  databaseUrl,
  redisUrl: null,
  registry,
  logger: silentLogger(),
  metrics: new Metrics('worker'),
  service: 'publishing-worker',
  queue: new MemoryHintQueue(),
  poolSize: 30,
});
const worker = new Worker({
  ...engine,
  lanes: [lane],
  slots: 30,
  pollMs: 50,
  publishing: { onStep: (step, runId) => reached(runId, step) },
});
await worker.start();
