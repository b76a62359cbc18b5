/** A worker that knows the weekly workflow, with its driver, to be killed. Called with the database's URL and a data root. */
import { createEngine, HandlerRegistry, registerBuiltinHandlers, Worker } from '@spine/execution';
import { DefinitionVersions, WorkflowDriver } from '@spine/orchestration';
import { Metrics, silentLogger } from '@spine/observability';
import { registerWeekly } from '../../integration/finra-weekly-support.ts';

const [databaseUrl, redisUrl, folder, lane] = process.argv.slice(2);
if (databaseUrl === undefined || redisUrl === undefined || folder === undefined || lane === undefined) {
  throw new TypeError('give two URLs, a folder and a lane');
}

const registry = registerBuiltinHandlers(new HandlerRegistry());
registerWeekly(registry, folder);
const engine = await createEngine({
  databaseUrl,
  redisUrl,
  registry,
  logger: silentLogger(),
  metrics: new Metrics('test'),
  service: 'finra-worker',
});
const driver = new WorkflowDriver({ ...engine, definitions: new DefinitionVersions(), pollMs: 100 });
const worker = new Worker({
  ...engine,
  lanes: [lane],
  slots: 4,
  leaseMs: 1_000,
  heartbeatMs: 200,
  pollMs: 250,
  onEnded: () => driver.wake(),
});
driver.start();
await worker.start();
process.send?.('ready');
