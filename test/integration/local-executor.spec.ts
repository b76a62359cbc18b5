/** Transactions of handlers that run in this process. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { jsonb } from '@spine/database';
import { HandlerRegistry, LocalExecutor, taskSpec } from '@spine/execution';
import type { HandlerContext } from '@spine/execution';
import { deferred } from './engine-run-support.ts';
import { openEngineDatabase, runOf, store } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let runId: string;
beforeAll(async () => {
  base = await openEngineDatabase();
  [runId = ''] = await store(base.pool, [runOf()]);
});
afterAll(() => base.close());

/** An executor with a handler that writes its params' text, does what the test says, and commits. */
function writing(then: (ctx: HandlerContext) => Promise<void>, ended: () => void = () => undefined) {
  const registry = new HandlerRegistry().registerTask(
    'writes',
    { description: 'A test.', params: z.strictObject({ text: z.string() }) },
    ({ text }, ctx) =>
      ctx
        .transaction(async (trx) => {
          await trx
            .insertInto('run_events')
            .values({ run_id: runId, epoch: 0, event_type: text, data: jsonb({}), source: 'test' })
            .execute();
          await then(ctx);
          return text;
        })
        .finally(ended),
  );
  return new LocalExecutor({ registry, db: base.db });
}

async function written(): Promise<string[]> {
  const { rows } = await base.admin.query<{ event_type: string }>(
    `SELECT event_type FROM run_events WHERE run_id = $1 AND source = 'test'`,
    [runId],
  );
  return rows.map(({ event_type }) => event_type);
}

describe('a transaction of a handler', () => {
  it('commits while the attempt holds its run, and not after a cancel', async () => {
    const executor = writing(() => Promise.resolve());
    const kept = await executor.submit(taskSpec('writes', { text: 'kept' }));
    if (kept.type !== 'accepted') throw new Error(kept.type);
    expect(await executor.wait(kept.ref)).toMatchObject({ type: 'completed' });

    const ended = deferred();
    const cancelling: LocalExecutor = writing(async ({ run }) => {
      await cancelling.cancel({ runId: run.runId });
    }, ended.resolve);
    const lost = await cancelling.submit(taskSpec('writes', { text: 'lost' }));
    if (lost.type !== 'accepted') throw new Error(lost.type);
    expect(await cancelling.wait(lost.ref)).toMatchObject({ type: 'cancelled' });
    await ended.promise;
    expect(await written()).toEqual(['kept']);
  });
});
