/** A worker whose heartbeat comes once an hour: what it hears of before, it has heard by the control channel. */
import { once } from 'node:events';
import { z } from 'zod';
import { loadProcessSettings } from '@spine/config';
import { AttemptAbortedError, createEngine, HandlerRegistry, taskSpec, Worker } from '@spine/execution';
import type { HandlerContext } from '@spine/execution';
import { createLogger, Metrics, runServiceProcess } from '@spine/observability';

const HOUR_MS = 3_600_000;

/** Says that it waits, and why it no longer does. */
async function untilAborted({ run, signal }: HandlerContext): Promise<void> {
  console.log(`waiting ${run.runId}`);
  if (!signal.aborted) await once(signal, 'abort');
  const { reason } = signal as { reason: unknown };
  console.log(`aborted ${run.runId} ${reason instanceof AttemptAbortedError ? reason.reason : 'otherwise'}`);
}

const registry = new HandlerRegistry()
  .registerTask('wait', { description: 'Waits until it is aborted.', params: z.strictObject({}) }, (_, ctx) =>
    untilAborted(ctx),
  )
  .registerTask(
    'family',
    { description: 'Starts a child, and waits like it.', params: z.strictObject({}) },
    async (_, ctx) => {
      await ctx.submit(taskSpec('wait'));
      await untilAborted(ctx);
    },
  );

await runServiceProcess({
  name: 'worker',
  stopWithinMs: 60_000,
  start: async () => {
    const settings = await loadProcessSettings({ role: 'worker' });
    const engine = await createEngine({
      databaseUrl: settings.database.url.reveal(),
      redisUrl: settings.redis.url?.reveal() ?? null,
      registry,
      logger: createLogger({ service: 'worker', level: 'warn' }),
      metrics: new Metrics('worker'),
      service: 'silent-worker',
    });
    const worker = new Worker({
      ...engine,
      lanes: settings.worker.lanes,
      slots: 20,
      heartbeatMs: HOUR_MS,
      leaseMs: 3 * HOUR_MS,
    });
    await worker.start();
    return {
      ready: { worker_id: worker.workerId },
      stop: async () => {
        await worker.stop(0);
        await engine.close();
      },
    };
  },
});
