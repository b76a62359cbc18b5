/** A worker with a driver of workflows, which is killed. Called with the URLs of the database and of Redis. */
import { CRASH_LANE, crashRegistry } from '../../integration/workflow-crash-support.ts';
import { runWorkflowProcess } from './workflow-process.ts';

const [databaseUrl, redisUrl] = process.argv.slice(2);
if (databaseUrl === undefined || redisUrl === undefined) throw new TypeError('give two URLs');

await runWorkflowProcess({
  service: 'workflow-worker',
  databaseUrl,
  redisUrl,
  registry: crashRegistry(20),
  lane: CRASH_LANE,
  slots: 10,
});
