/**
 * graphile-worker at its fastest documented settings: a local queue that fetches 500 jobs at once, completions written
 * in batches without a delay, jobs added by the batch.
 *
 * @see https://worker.graphile.org/docs/performance
 */
import { Logger, makeWorkerUtils, run, runMigrations } from 'graphile-worker';

const BATCH = 500;
/** Its own performance test runs 24 jobs side by side in a process. */
const CONCURRENT_JOBS = 24;
const IDENTIFIER = 'noop';

const silent = new Logger(() => () => undefined);

export const name = 'graphile-worker';

/** Counts down; `reached` resolves at zero. */
function countdown(count) {
  let left = count;
  let resolve = () => undefined;
  const reached = new Promise((done) => {
    resolve = done;
  });
  return {
    reached,
    tick: () => {
      left -= 1;
      if (left === 0) resolve();
    },
  };
}

async function addAll(utils, jobs) {
  for (let from = 0; from < jobs; from += BATCH) {
    const count = Math.min(BATCH, jobs - from);
    await utils.addJobs(Array.from({ length: count }, () => ({ identifier: IDENTIFIER, payload: {} })));
  }
}

/** Completed jobs are deleted: none may be left. */
async function untilGone(utils) {
  for (;;) {
    const { rows } = await utils.withPgClient((client) =>
      client.query('SELECT count(*)::int AS left FROM graphile_worker._private_jobs'),
    );
    if (rows[0].left === 0) return;
  }
}

/**
 * @param {{ databaseUrl: string }} environment
 * @param {{ jobs: number }} load
 * @returns jobs a second: submit, drain, endToEnd
 */
export async function measure({ databaseUrl }, { jobs }) {
  const settings = { connectionString: databaseUrl, logger: silent };
  await runMigrations(settings);
  const utils = await makeWorkerUtils(settings);
  let handled = countdown(jobs);
  let runner;
  try {
    const rate = (from) => jobs / ((performance.now() - from) / 1000);
    let from = performance.now();
    await addAll(utils, jobs);
    const submit = rate(from);

    from = performance.now();
    runner = await run({
      preset: {
        worker: {
          connectionString: databaseUrl,
          concurrentJobs: CONCURRENT_JOBS,
          maxPoolSize: CONCURRENT_JOBS + 1,
          localQueue: { size: 500 },
          completeJobBatchDelay: 0,
          failJobBatchDelay: 0,
        },
      },
      logger: silent,
      noHandleSignals: true,
      taskList: { [IDENTIFIER]: () => handled.tick() },
    });
    await handled.reached;
    await untilGone(utils);
    const drain = rate(from);

    handled = countdown(jobs);
    from = performance.now();
    await addAll(utils, jobs);
    await handled.reached;
    await untilGone(utils);
    const endToEnd = rate(from);
    return { submit, drain, endToEnd };
  } finally {
    await runner?.stop();
    await utils.release();
  }
}
