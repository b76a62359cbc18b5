/**
 * A worker that replays rejects and stops in a page, its rows stored and not committed, until it is killed: it tells its
 * parent when it is there. Called with the URLs of the database and of Redis, a lane, a stage, and the number of the page.
 */
import { createEngine, HandlerRegistry, registerLedgerOperations, Worker } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { testReplayer } from '../../integration/ledger-rejects-support.ts';

const [databaseUrl, redisUrl, lane, stage, stopAt] = process.argv.slice(2);
if (databaseUrl === undefined || redisUrl === undefined || lane === undefined || stage === undefined) {
  throw new TypeError('give the URLs of database and Redis, a lane, a stage and a page');
}

const replayer = testReplayer(stage, async (page, when) => {
  if (page !== Number(stopAt) || when === 'before') return;
  process.send?.({ page });
  await new Promise(() => undefined);
});
const engine = await createEngine({
  databaseUrl,
  redisUrl,
  registry: registerLedgerOperations(new HandlerRegistry(), { replayers: [replayer], rejectsPerPage: 2 }),
  logger: silentLogger(),
  metrics: new Metrics('worker'),
  service: 'replaying-worker',
});
const worker = new Worker({
  ...engine,
  lanes: [lane],
  slots: 1,
  leaseMs: 1_000,
  heartbeatMs: 200,
});
await worker.start();
