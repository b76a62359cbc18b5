/** Isolated handlers in a real worker: what takes a run from its attempt terminates its thread. */
import { existsSync, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { loadSettings } from '@spine/config';
import { reapRuns } from '@spine/database';
import { taskSpec, ThreadPool } from '@spine/execution';
import type { Worker } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { startWorker } from '@spine/worker';
import { openBed } from './engine-run-support.ts';
import type { Bed, BedOptions } from './engine-run-support.ts';
import { inconsistentRuns, shift } from './engine-support.ts';

const root = fileURLToPath(new URL('./fixtures', import.meta.url));

let bed: Bed;
let threads: ThreadPool;
let folder: string;
let lane: string;
let files = 0;
const open = async (exported: readonly string[], queue: BedOptions['queue'] = 'memory'): Promise<Bed> =>
  openBed({
    queue,
    register: (registry) => {
      for (const name of exported)
        registry.registerTask(
          name,
          { description: 'Of the suite.', params: z.looseObject({}) },
          { module: 'isolated.ts', export: name },
        );
    },
  });

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'spine-isolated-'));
  threads = new ThreadPool({ root, threads: 1 });
  bed = await open(['busy', 'reports', 'limited', 'whoAmI']);
  lane = bed.newLane();
  await bed.startWorker(lane, { threads });
});
afterEach(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
});
afterAll(async () => {
  await bed.close();
  await threads.close();
  await rm(folder, { recursive: true, force: true });
});

/** A run that computes for ever, once it does. */
async function busy(
  options: Parameters<typeof taskSpec>[2] = {},
  on = lane,
): Promise<{ runId: string; file: string }> {
  const file = join(folder, `busy-${(files += 1)}`);
  const runId = await bed.submit(taskSpec('busy', { file }, { lane: on, maxRetries: 0, ...options }));
  await waitFor(() => existsSync(file), { message: 'the thread computes' });
  return { runId, file };
}

async function standsStill(file: string): Promise<void> {
  let size = -1;
  await waitFor(
    () => {
      const before = size;
      size = statSync(file).size;
      return size === before;
    },
    { intervalMs: 100, message: 'the thread writes no more' },
  );
}

describe('an isolated handler of a worker', () => {
  it('reports into the history of its run, and keeps what its errors say', async () => {
    const runId = await bed.submit(taskSpec('reports', {}, { lane }));
    expect((await bed.reach(runId, 'completed')).result).toBe('reported');
    expect(await bed.events(runId)).toEqual([
      'submitted',
      'started',
      'progress',
      'progress',
      'checked',
      'completed',
    ]);
    const limited = await bed.submit(taskSpec('limited', {}, { lane, maxRetries: 0 }));
    expect((await bed.reach(limited, 'dead_lettered')).error).toMatchObject({
      type: 'RateLimitError',
      category: 'NETWORK',
      retryable: true,
      retry_after: 7,
    });
  });

  it('is terminated by its time-out', async () => {
    const { runId, file } = await busy({ timeoutSeconds: 3 });
    expect((await bed.reach(runId, 'dead_lettered')).error).toMatchObject({ category: 'TIMEOUT' });
    await standsStill(file);
  });

  it('is terminated by a cancel', async () => {
    const { runId, file } = await busy();
    await bed.engine.dispatcher.cancel(runId);
    await standsStill(file);
    expect(await bed.reach(runId, 'cancelled')).toMatchObject({ result: null });
  });

  it('is terminated when its lease is lost', async () => {
    const { runId, file } = await busy();
    await waitFor(async () => {
      await shift(bed.admin, [runId], 'lease_expires_at', '-1 hour').catch(() => undefined);
      await reapRuns(bed.engine.pool);
      return (await bed.engine.dispatcher.get(runId))?.status === 'dead_lettered';
    });
    await standsStill(file);
  });

  it('is terminated when its worker stops, and handed back uncharged', async () => {
    const other = bed.newLane();
    const worker: Worker = await bed.startWorker(other, { threads });
    const { runId, file } = await busy({}, other);
    await worker.stop(0);
    await standsStill(file);
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ status: 'queued', attempt: 0 });
  });

  it('leaves its thread to the next one', async () => {
    await busy().then(({ runId }) => bed.engine.dispatcher.cancel(runId));
    const runId = await bed.submit(taskSpec('whoAmI', {}, { lane }));
    expect((await bed.reach(runId, 'completed')).result).toMatchObject({ run: runId, attempt: 1 });
  });
});

describe('a worker', () => {
  it('does not start without a pool for its isolated handlers, nor with one that is not there', async () => {
    await expect(bed.startWorker(bed.newLane())).rejects.toThrow(
      /handler task:\w+ runs in a thread, and this worker has no thread pool/,
    );
    const other = await open(['notAFunction']);
    await expect(other.startWorker(other.newLane(), { threads })).rejects.toThrow(
      /handler task:notAFunction: .*exports no function/,
    );
    await other.close();
  });

  it('of the service has a pool for the code of its deployment', async () => {
    const own = await open(['reports'], 'postgres');
    const service = await startWorker(
      loadSettings(
        { SPINE_DATABASE_URL: own.databaseUrl, SPINE_LANES: 'own', SPINE_LOG_LEVEL: 'silent' },
        { role: 'worker' },
      ),
      {
        moreHandlers: (registry) =>
          registry.registerTask(
            'reports',
            { description: 'Of the suite.', params: z.looseObject({}) },
            { module: 'test/integration/fixtures/isolated.ts', export: 'reports' },
          ),
      },
    );
    const runId = await own.submit(taskSpec('reports', {}, { lane: 'own' }));
    expect((await own.reach(runId, 'completed')).result).toBe('reported');
    await service.stop();
    await own.close();
  });
});
