/** A worker that knows the weekly workflow, with its driver, to be killed. Called with two URLs, a data root and a lane. */
import { HandlerRegistry, registerBuiltinHandlers } from '@spine/execution';
import { registerWeekly } from '../../integration/finra-weekly-support.ts';
import { runWorkflowProcess } from './workflow-process.ts';

const [databaseUrl, redisUrl, folder, lane] = process.argv.slice(2);
if (databaseUrl === undefined || redisUrl === undefined || folder === undefined || lane === undefined) {
  throw new TypeError('give two URLs, a folder and a lane');
}

const registry = registerBuiltinHandlers(new HandlerRegistry());
registerWeekly(registry, folder);
await runWorkflowProcess({ service: 'finra-worker', databaseUrl, redisUrl, registry, lane, slots: 4 });
