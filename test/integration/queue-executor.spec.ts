/** What the queue executor does beyond the protocol, which test/conformance/executor holds. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { createDb, createPool } from '@spine/database';
import { QueueExecutor, taskSpec } from '@spine/execution';
import { createEmptyDatabase } from '@spine/testing';
import { openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

const NAME = 'queue-executor-test';
const LANE = 'default';

let bed: Bed;
beforeAll(async () => {
  bed = await openBed({ queue: 'memory' });
});
afterAll(() => bed.close());

/** An executor that asks for ended runs on connections of its own. */
function onItsOwn(connectionString: string) {
  const db = createDb(
    createPool({ connectionString, applicationName: NAME, role: null, onError: () => undefined }),
  );
  return { executor: new QueueExecutor({ ...bed.engine, db }), close: () => db.destroy() };
}

const LONG = { timeoutMs: 20_000 };

describe('a wait of the queue executor', () => {
  it('goes on when the database breaks its connections', async () => {
    const { executor, close } = onItsOwn(bed.databaseUrl);
    const submission = await executor.submit(taskSpec('echo', { n: 1 }, { lane: LANE }));
    if (submission.type !== 'accepted') throw new Error(submission.type);
    const wait = executor.wait(submission.ref, LONG);
    let ended = false;
    void wait.then(() => (ended = true));
    let broken = 0;
    while (broken < 3) {
      const { rows } = await bed.admin.query(
        'SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = $1',
        [NAME],
      );
      broken += rows.length;
    }
    expect(ended).toBe(false);
    await bed.startWorker(LANE);
    expect(await wait).toMatchObject({ type: 'completed', result: { n: 1 } });
    await executor.close();
    await close();
  });

  it('ends with a fault that waiting does not mend', async () => {
    const empty = await createEmptyDatabase();
    const { executor, close } = onItsOwn(empty.connectionString);
    await expect(executor.wait({ runId: newId() }, LONG)).rejects.toThrow(/"runs" does not exist/);
    await executor.close();
    await close();
    await empty.drop();
  });

  it('sees a result that is too large for its row', async () => {
    const executor = new QueueExecutor(bed.engine);
    const lane = bed.newLane();
    await bed.startWorker(lane);
    const text = 'x'.repeat(300_000);
    const submission = await executor.submit(bed.probe(lane, () => ({ text })));
    if (submission.type !== 'accepted') throw new Error(submission.type);
    expect(await executor.wait(submission.ref, LONG)).toMatchObject({ type: 'completed', result: { text } });
    await executor.close();
  });
});
