/** Why a run waits where workers are what is missing: with real ones that come. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainRun, HandlerRegistry, loadExplainFacts, registerBuiltinHandlers } from '@spine/execution';
import type { WaitReason } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';

describe('a run that no worker could start', () => {
  let bed: Bed;
  beforeAll(async () => {
    bed = await openBed({ queue: 'memory', maintained: false });
  });
  afterAll(() => bed.close());

  const reasonsOf = async (runId: string): Promise<readonly WaitReason[]> => {
    const facts = await loadExplainFacts(bed.engine.db, bed.engine.registry, runId);
    return facts === null ? [] : explainRun(facts).reasons;
  };

  it('because none serves its lane is told so, and starts when one does', async () => {
    const { newLane, probe, startWorker, submit, reach } = bed;
    await startWorker(newLane());
    const lane = newLane();
    const runId = await submit(probe(lane, () => null));
    expect(await reasonsOf(runId)).toMatchObject([{ code: 'no_worker_for_lane', key: lane }]);
    await startWorker(lane);
    await reach(runId, 'completed');
  });

  it('because none of its lane knows its handler is told so, and starts when one does', async () => {
    const { newLane, probe, startWorker, submit, reach } = bed;
    const lane = newLane();
    await startWorker(lane, { registry: registerBuiltinHandlers(new HandlerRegistry()) });
    const runId = await submit(probe(lane, () => null));
    expect(await reasonsOf(runId)).toMatchObject([{ code: 'no_worker_for_handler', key: 'task:probe' }]);
    // The other has taken the hint.
    await startWorker(lane, { pollMs: 20 });
    await bed.admin.query('UPDATE runs SET dispatch_after = now() WHERE id = $1', [runId]);
    await reach(runId, 'completed');
  });

  it('because all their slots are taken is told so, and starts when one is free', async () => {
    const { newLane, probe, startWorker, submit, reach } = bed;
    const lane = newLane();
    await startWorker(lane, { slots: 1 });
    const [started, finish] = [deferred(), deferred()];
    await submit(
      probe(lane, async () => {
        started.resolve();
        await finish.promise;
      }),
    );
    await started.promise;
    const runId = await submit(probe(lane, () => null));
    // As its last heartbeat said.
    await waitFor(async () => (await reasonsOf(runId))[0]?.code === 'workers_busy');
    expect(await reasonsOf(runId)).toMatchObject([{ code: 'workers_busy', limit: 1 }]);
    finish.resolve();
    await reach(runId, 'completed');
  });
});
