/** Runs that a worker takes as they are stored: claimed by the insert, without a hint and without a claim. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  cancelOnlyIn,
  insertRuns,
  listRunEvents,
  pauseRun,
  publishWorkflow,
  resumeRun,
  tellWorkflow,
} from '@spine/database';
import type { InsertOutcome, NewRun, Queryable } from '@spine/database';
import { MemoryHintQueue } from '@spine/execution';
import type { Adoption, Hint, Worker, WorkSpec } from '@spine/execution';
import { defineWorkflow, openWorkflowDriver, signalWorkflow, workflowToJson } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { deferred, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { LANE, noLeftovers, openWorkflowBed } from './workflow-support.ts';

let bed: Bed;

beforeAll(async () => {
  bed = await openBed({ queue: 'memory', maintained: false });
});

afterAll(async () => {
  await bed.close();
});

async function prepared(spec: WorkSpec): Promise<NewRun> {
  const outcome = await bed.engine.dispatcher.prepare(spec, { allowUnknown: true });
  if (outcome.type !== 'prepared') throw new Error(`not prepared: ${outcome.type}`);
  return outcome.run;
}

function taken(adoption: Adoption | null): Adoption {
  if (adoption === null) throw new Error('the worker has taken nothing');
  return adoption;
}

/** Stores the runs, those of the adoption as claimed. @returns the ids of those that were stored so. */
async function stored(runs: readonly NewRun[], { claim }: Adoption): Promise<ReadonlySet<string>> {
  const outcomes = await insertRuns(bed.engine.pool, runs, { ambiguous: false, hinted: true, claim });
  const running = (outcome: InsertOutcome): string[] =>
    outcome.type === 'inserted' && outcome.status === 'running' ? [outcome.runId] : [];
  return new Set(outcomes.flatMap(running));
}

const lease = async (runId: string) => {
  const { rows } = await bed.admin.query<Record<string, unknown>>(
    `SELECT status, epoch, attempt, lease_owner, lease_expires_at > now() AS held, dispatch_after FROM runs WHERE id = $1`,
    [runId],
  );
  return rows[0];
};

/** How many runs of the lane it would take now. */
async function room(worker: Worker, lane: string): Promise<number> {
  const runs = await Promise.all(Array.from({ length: 30 }, () => prepared(bed.probe(lane, () => null))));
  const adoption = worker.adopt(runs);
  adoption?.giveUp();
  return adoption?.claim.runIds.size ?? 0;
}

describe('a run that is stored as claimed', () => {
  it('is held by the worker with its commit, and executed as if it had been claimed', async () => {
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane);
    const run = await prepared(
      bed.probe(lane, (ctx) => ({ attempt: ctx.run.attempt, epoch: ctx.run.epoch })),
    );
    const adoption = taken(worker.adopt([run]));
    const held = await stored([run], adoption);
    expect(held).toEqual(new Set([run.runId]));
    expect(await lease(run.runId)).toEqual({
      status: 'running',
      epoch: 1,
      attempt: 1,
      lease_owner: worker.workerId,
      held: true,
      dispatch_after: null,
    });
    adoption.begin(held);
    expect((await bed.reach(run.runId, 'completed')).result).toEqual({ attempt: 1, epoch: 1 });
    const events = await listRunEvents(bed.engine.pool, run.runId, { limit: 10, offset: 0 });
    expect(events.events.map(({ eventType, epoch, source }) => [eventType, epoch, source])).toEqual([
      ['submitted', 0, 'api'],
      ['started', 1, `worker:${worker.workerId}`],
      ['completed', 1, `worker:${worker.workerId}`],
    ]);
    await worker.stop();
  });

  it('is interrupted by a cancel, and handed back by a worker that stops', async () => {
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane);
    const runs = await Promise.all([
      prepared(bed.probe(lane, untilAborted)),
      prepared(bed.probe(lane, untilAborted)),
    ]);
    const adoption = taken(worker.adopt(runs));
    adoption.begin(await stored(runs, adoption));
    const [cancelled, kept] = runs.map(({ runId }) => runId);
    await bed.engine.dispatcher.cancel(cancelled ?? '');
    await waitFor(() => worker.running === 1, { message: () => 'the cancelled run is let go' });
    // What was taken before the stop and is stored after it is handed back as well.
    const late = await prepared(bed.probe(lane, untilAborted));
    const lateAdoption = taken(worker.adopt([late]));
    const lateHeld = await stored([late], lateAdoption);
    const stopped = worker.stop(0);
    lateAdoption.begin(lateHeld);
    await stopped;
    expect(worker.adopt(runs)).toBeNull();
    for (const runId of [kept ?? '', late.runId]) {
      expect(await lease(runId)).toMatchObject({ status: 'queued', attempt: 0, epoch: 2 });
    }
  });
});

describe('a worker', () => {
  it('takes nothing that a claim has to look at, that it does not know, or that is of another lane', async () => {
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane);
    const probe = (more: Partial<WorkSpec>) => prepared(bed.probe(lane, () => null, more));
    const refused = await Promise.all([
      probe({ lane: bed.newLane() }),
      probe({ runAfter: new Date(Date.now() + 60_000) }),
      probe({ expiresAt: new Date(Date.now() + 60_000) }),
      probe({ deadlineSeconds: 60 }),
      probe({ singletonKey: 'one' }),
      probe({ concurrency: [{ key: 'one', limit: 1 }] }),
      prepared({ kind: 'step', name: 'nobody.knows', lane }),
    ]);
    for (const run of refused) expect(worker.adopt([run])).toBeNull();
    // An insert that is asked to claim them nevertheless queues them.
    const good = await probe({});
    const adoption = taken(worker.adopt([good, ...refused]));
    expect(adoption.claim.runIds).toEqual(new Set([good.runId]));
    const all = {
      ...adoption.claim,
      runIds: new Set([good, ...refused.slice(1, 6)].map(({ runId }) => runId)),
    };
    const held = await stored([good, ...refused.slice(1, 6)], { ...adoption, claim: all });
    expect(held).toEqual(new Set([good.runId]));
    adoption.begin(held);
    await bed.reach(good.runId, 'completed');
    await worker.stop();
  });

  it('leaves a quarter of its slots to hints, and to other workers of the lane their share', async () => {
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane, { slots: 8 });
    expect(await room(worker, lane)).toBe(6);
    const capacity = {
      current: () => ({ lanes: new Map([[lane, { workers: 10, slots: 8 }]]), handlers: new Set<string>() }),
    };
    const sharing = await bed.startWorker(lane, { slots: 40, capacity });
    expect(await room(sharing, lane)).toBe(3);
    await Promise.all([worker.stop(), sharing.stop()]);
  });

  it('frees the slots of runs that were not stored, or not as claimed', async () => {
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane, { slots: 4 });
    const runs = await Promise.all(Array.from({ length: 3 }, () => prepared(bed.probe(lane, () => null))));
    const given = taken(worker.adopt(runs));
    expect(await room(worker, lane)).toBe(0);
    given.giveUp();
    const paused = taken(worker.adopt(runs));
    // Behind the back of the worker: the statement looks by itself.
    await bed.admin.query(`INSERT INTO lanes (lane, paused_at, paused_by) VALUES ($1, now(), 'test')`, [
      lane,
    ]);
    const held = await stored(runs, paused);
    expect(held.size).toBe(0);
    paused.begin(held);
    expect(await lease(runs[0]?.runId ?? '')).toMatchObject({
      status: 'queued',
      epoch: 0,
      lease_owner: null,
    });
    await bed.admin.query('UPDATE lanes SET paused_at = NULL, paused_by = NULL WHERE lane = $1', [lane]);
    await waitFor(async () => (await room(worker, lane)) === 3, { message: () => 'all slots are free' });
    await worker.stop();
  });

  it('looks for what may have been stored', async () => {
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane, { slots: 4 });
    const gate = deferred();
    const [there, lost] = await Promise.all([
      prepared(bed.probe(lane, () => gate.promise)),
      prepared(bed.probe(lane, () => null)),
    ]);
    const adoption = taken(worker.adopt([there, lost]));
    await stored([there], adoption);
    adoption.lookFor();
    await waitFor(() => worker.running === 1, { message: () => 'the stored one is executed' });
    expect(await room(worker, lane)).toBe(2);
    gate.resolve();
    await bed.reach(there.runId, 'completed');
    // While it stops as well: nobody else knows of the run before its lease is over.
    const late = await prepared(bed.probe(lane, untilAborted));
    const lateAdoption = taken(worker.adopt([late]));
    await stored([late], lateAdoption);
    const stopped = worker.stop(0);
    lateAdoption.lookFor();
    await stopped;
    expect(await lease(late.runId)).toMatchObject({ status: 'queued', attempt: 0, epoch: 2 });
  });
});

describe('a run that was queued again after it was stored as claimed', () => {
  it('is left by the look for it to the claim that has it, whose answer comes later', async () => {
    const { pool, queue } = bed.engine;
    const lane = bed.newLane();
    const [claimed, late] = [deferred(), deferred()];
    const slow: Queryable = {
      query: async (config) => {
        const answer = await pool.query(config);
        if (config.name === 'spine_claim') {
          claimed.resolve();
          await late.promise;
        }
        return answer as never;
      },
    };
    const worker = await bed.startWorker(lane, { pool: slow, slots: 4 });
    const run = await prepared(bed.probe(lane, () => null));
    const { runId } = run;
    const adoption = taken(worker.adopt([run]));
    await stored([run], adoption);
    await pauseRun(pool, runId, null, 'test');
    await resumeRun(pool, runId, 'test');
    await queue.publish([{ lane, priority: 2, runIds: [runId], label: 'again', delayMs: 0 }]);
    await claimed.promise;
    adoption.lookFor();
    await waitFor(async () => (await room(worker, lane)) === 2, { message: () => 'it was looked for' });
    late.resolve();
    expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 3, attempt: 1 });
  });
});

describe('a step that is started and given up by one advance', () => {
  it('is cancelled without having begun', async () => {
    let calls = 0;
    const workflows = await openWorkflowBed({
      functions: {
        work: () => {
          calls += 1;
          return {};
        },
      },
      workflows: [{ name: 'test.given_up', steps: [{ kind: 'lambda', name: 'one', handler: 'work' }] }],
    });
    const worker = await workflows.startWorker(LANE);
    const runId = await workflows.start('test.given_up');
    const inbox = async (): Promise<number> =>
      (await workflows.admin.query('SELECT 1 FROM workflow_inbox WHERE workflow_run_id = $1', [runId])).rows
        .length;
    await waitFor(async () => (await inbox()) === 1, { message: () => 'the workflow is handed over' });
    const cancel = { type: 'cancel', by: 'test', reason: 'too late' };
    expect(await tellWorkflow(workflows.engine.db, runId, cancel)).toBe(true);
    const driver = workflows.newDriver({ adopter: worker });
    driver.start();
    await workflows.reach(runId, 'cancelled');
    const { rows } = await workflows.admin.query<{ id: string; status: string; epoch: number }>(
      'SELECT id, status, epoch FROM runs WHERE parent_run_id = $1',
      [runId],
    );
    // Stored as claimed at epoch 1, and cancelled at the next.
    expect(rows).toMatchObject([{ status: 'cancelled', epoch: 2 }]);
    expect(await room(worker, LANE)).toBe(15);
    await worker.stop();
    expect(calls).toBe(0);
    await workflows.close();
  });
});

describe('a sub-workflow that is to go on when the run above it has ended', () => {
  it('starts nothing any more, although both are advanced together', async () => {
    let calls = 0;
    const workflows = await openWorkflowBed({
      maintained: false,
      functions: {
        work: () => {
          calls += 1;
          return {};
        },
      },
      workflows: [
        {
          name: 'test.below',
          steps: [
            { kind: 'wait', name: 'word', wait: { signal: 'go' } },
            { kind: 'lambda', name: 'late', handler: 'work' },
          ],
        },
        { name: 'test.above', steps: [{ kind: 'workflow', name: 'sub', workflow: 'test.below' }] },
      ],
    });
    const { worker, driver: first } = await workflows.begin();
    const above = await workflows.start('test.above');
    let below = '';
    await waitFor(
      async () => {
        const { rows } = await workflows.admin.query<{ id: string }>(
          `SELECT s.run_id AS id FROM workflow_steps s JOIN workflow_runs w ON w.run_id = s.run_id
           WHERE s.workflow_run_id = $1 AND w.seq > 0`,
          [above],
        );
        below = rows[0]?.id ?? '';
        return below !== '';
      },
      { message: () => 'the one below waits for its signal' },
    );
    await first.stop();
    await cancelOnlyIn(workflows.engine.pool, [above], 'test', 'test');
    expect(await signalWorkflow(workflows.engine.db, below, 'go', {})).toBe(true);
    const second = workflows.newDriver({ adopter: worker });
    second.start();
    await workflows.reach(below, 'cancelled');
    await noLeftovers(workflows.admin);
    await workflows.close();
    expect(calls).toBe(0);
  });
});

describe('what the database makes of a run as it is stored', () => {
  it('is what its handler sees: the names in its JSON are in one order', async () => {
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane);
    const seen: string[] = [];
    const spec = bed.probe(lane, ({ run }) => void seen.push(JSON.stringify(run.metadata)), {
      metadata: { longer: { cc: 1, b: [{ zz: 1, y: 2 }] }, é: 1, b: 2, a: 3 },
    });
    await bed.reach(await bed.submit(spec), 'completed');
    const run = await prepared(spec);
    const adoption = taken(worker.adopt([run]));
    adoption.begin(await stored([run], adoption));
    await bed.reach(run.runId, 'completed');
    expect(seen).toEqual([seen[0], seen[0]]);
    await worker.stop();
  });

  it('is how a sub-workflow begins: at the version that its row is pinned to', async () => {
    const says = (word: string) =>
      ({
        name: 'test.below',
        steps: [{ kind: 'lambda', name: 'one', handler: 'say', params: { word } }],
        outputs: { word: '{{ steps.one.output.word }}' },
      }) as const;
    const workflows = await openWorkflowBed({
      maintained: false,
      functions: { say: ({ word }) => ({ word: word ?? null }) },
      workflows: [
        says('code'),
        {
          name: 'test.above',
          steps: [{ kind: 'workflow', name: 'sub', workflow: 'test.below' }],
          outputs: { sub: '{{ steps.sub.output }}' },
        },
      ],
    });
    const { hash, ...input } = defineWorkflow(says('published'));
    await publishWorkflow(workflows.engine.db, {
      name: input.name,
      hash,
      definition: workflowToJson(input),
      changelog: null,
      source: 'api',
      by: 'ada',
      revision: null,
      isInCode: false,
    });
    const driver = workflows.newDriver({ adopter: workflows.engine.localWorkers });
    const worker = await workflows.startWorker(LANE, { onEnded: () => driver.wake() });
    driver.start();
    const { result } = await workflows.run('test.above');
    expect(result).toEqual({ sub: { word: 'published' } });
    await waitFor(async () => (await room(worker, LANE)) === 15, { message: () => 'all slots are free' });
    await workflows.close();
  });
});

describe('a queue that carries nothing', () => {
  it('holds up no step of a workflow whose driver and worker are one process', async () => {
    const hinted: string[] = [];
    class Counting extends MemoryHintQueue {
      override publish(hints: readonly Hint[]): Promise<void> {
        hinted.push(...hints.flatMap(({ runIds }) => runIds));
        return super.publish(hints);
      }
    }
    const steps = ['one', 'two', 'three'].map((name) => ({ kind: 'lambda', name, handler: 'work' }) as const);
    const workflows = await openWorkflowBed({
      queue: new Counting(),
      maintained: false,
      functions: { work: () => ({}) },
      workflows: [{ name: 'test.adopted', steps }],
    });
    const driver = openWorkflowDriver(workflows.engine, workflows.databaseUrl);
    const worker = await workflows.startWorker(LANE, { onEnded: driver.onEnded, begin: driver.begin });
    const { runId } = await workflows.run('test.adopted');
    expect(hinted).toEqual([runId]);
    const { rows } = await workflows.admin.query(
      `SELECT count(*) AS n FROM runs r WHERE parent_run_id = $1 AND status = 'completed' AND epoch = 1`,
      [runId],
    );
    expect(rows).toEqual([{ n: 3 }]);
    await worker.stop();
    await driver.stop();
    await workflows.close();
  });
});
