/** A worker with a driver of workflows, which is killed. Called with the URLs of the database and of Redis. */
import { createEngine, Worker } from '@spine/execution';
import { DefinitionVersions, WorkflowDriver } from '@spine/orchestration';
import { Metrics, silentLogger } from '@spine/observability';
import { CRASH_LANE, crashRegistry } from '../../integration/workflow-crash-support.ts';

const [databaseUrl, redisUrl] = process.argv.slice(2);
if (databaseUrl === undefined || redisUrl === undefined) throw new TypeError('give two URLs');

const engine = await createEngine({
  databaseUrl,
  redisUrl,
  registry: crashRegistry(20),
  logger: silentLogger(),
  metrics: new Metrics('test'),
  service: 'workflow-worker',
});
const driver = new WorkflowDriver({ ...engine, definitions: new DefinitionVersions(), pollMs: 100 });
const worker = new Worker({
  ...engine,
  lanes: [CRASH_LANE],
  slots: 10,
  leaseMs: 1_000,
  heartbeatMs: 200,
  pollMs: 250,
  onEnded: () => driver.wake(),
});
driver.start();
await worker.start();
process.send?.('ready');
