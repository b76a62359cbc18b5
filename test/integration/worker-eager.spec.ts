/** Runs that are submitted where a worker has room: stored as claimed, without a hint. Nothing but hints brings others here. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newWorkerId } from '@spine/core';
import { createPool, insertRuns, reapRuns } from '@spine/database';
import type { Pool, Queryable } from '@spine/database';
import { Dispatcher, MemoryHintQueue, remainingMs, withDeadline } from '@spine/execution';
import type { HintQueue, SubmitOutcome, Worker, WorkSpec } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, openBed, untilAborted } from './engine-run-support.ts';
import type { Bed, Behaviour } from './engine-run-support.ts';
import { shift } from './engine-support.ts';

/** Whoever inserts a run waits for this lock. */
const GATE = 7_002;

/** Says that it is Redis, so that hints are sent early. */
function counted(inner: HintQueue) {
  const hinted: string[] = [];
  const queue: HintQueue = {
    backend: 'bullmq-redis',
    publish: (hints) => {
      hinted.push(...hints.flatMap(({ runIds }) => runIds));
      return inner.publish(hints);
    },
    consume: (lane) => inner.consume(lane),
    counts: (lane) => inner.counts(lane),
    check: () => inner.check(),
    recoverStalled: (lanes) => inner.recoverStalled(lanes),
    close: () => inner.close(),
  };
  return { queue, hinted };
}

const { queue, hinted } = counted(new MemoryHintQueue());
let bed: Bed;
let gate: Pool;

beforeAll(async () => {
  bed = await openBed({ queue, maintained: false });
  await bed.admin.query(`CREATE FUNCTION wait_at_gate() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN PERFORM pg_advisory_xact_lock_shared(${GATE}); RETURN NEW; END $$;
    CREATE TRIGGER wait_at_gate BEFORE INSERT ON runs FOR EACH ROW EXECUTE FUNCTION wait_at_gate()`);
  gate = createPool({ connectionString: bed.databaseUrl, role: null, max: 1 });
});

afterAll(async () => {
  await gate.end();
  await bed.close();
});

const openGate = (): Promise<unknown> => gate.query('SELECT pg_advisory_unlock_all()');

/** Submits to a database that keeps the INSERT waiting until {@link openGate}. */
async function heldUp(
  spec: WorkSpec,
): Promise<{ readonly submitted: Promise<string>; readonly pid: number }> {
  await gate.query('SELECT pg_advisory_lock($1)', [GATE]);
  const submitted = bed.submit(spec);
  let pid = 0;
  await waitFor(
    async () => {
      const { rows } = await bed.admin.query<{ pid: number }>(
        `SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND objid = ${GATE}`,
      );
      pid = rows[0]?.pid ?? 0;
      return pid > 0;
    },
    { message: () => 'the INSERT at the gate' },
  );
  return { submitted, pid };
}

const start = (lane: string, slots = 4): Promise<Worker> =>
  bed.startWorker(lane, { eagerStart: true, slots });

const row = async (runId: string) =>
  (
    await bed.admin.query<Record<string, unknown>>(
      'SELECT status, epoch, attempt, lease_owner FROM runs WHERE id = $1',
      [runId],
    )
  ).rows[0];

/** A handler that counts how often it was called, and its spec. */
function counting(lane: string, behaviour: Behaviour = () => null, more: Partial<WorkSpec> = {}) {
  const calls: number[] = [];
  const spec = bed.probe(
    lane,
    (ctx) => {
      calls.push(ctx.run.epoch);
      return behaviour(ctx);
    },
    more,
  );
  return { calls, spec };
}

/** How many submitted runs the worker would start now, one after the other. */
async function room(worker: Worker, lane: string): Promise<number> {
  const outcome = await bed.engine.dispatcher.prepare(bed.probe(lane, () => null));
  if (outcome.type !== 'prepared') throw new Error(`not prepared: ${outcome.type}`);
  const rooms = Array.from({ length: 30 }, () => worker.adoptSubmitted(outcome.run));
  for (const each of rooms) each?.giveUp();
  return rooms.filter((each) => each !== null).length;
}

const allFree = (worker: Worker, lane: string): Promise<unknown> =>
  waitFor(async () => (await room(worker, lane)) === 3, { message: () => 'all slots are free' });

describe('a run that is submitted alone', () => {
  it('is held by a worker of the same process when its submit is answered, and no hint is sent', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const done = deferred();
    const { spec, calls } = counting(lane, () => done.promise);
    const outcome = await bed.engine.dispatcher.submit(spec);
    expect(outcome).toMatchObject({ type: 'accepted', status: 'running' });
    const runId = outcome.type === 'accepted' ? outcome.runId : '';
    expect(await row(runId)).toEqual({
      status: 'running',
      epoch: 1,
      attempt: 1,
      lease_owner: worker.workerId,
    });
    done.resolve();
    await bed.reach(runId, 'completed');
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'completed']);
    expect(calls).toEqual([1]);
    expect(hinted).not.toContain(runId);
    const { values } = await bed.engine.metrics.adopted.get();
    expect(values).toMatchObject([{ labels: { source: 'submit' }, value: 1 }]);
    await worker.stop();
  });

  it('is under no deadline that its submit was under, nor is what its worker starts after it', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const spec = bed.probe(lane, () => remainingMs());
    const [runId, others] = await withDeadline(60_000, async () => [
      await bed.submit(spec),
      await bed.engine.dispatcher.submitAll([spec, spec]),
    ]);
    expect(await bed.reach(runId, 'completed')).toMatchObject({ result: null });
    for (const other of others) {
      const id = other.type === 'accepted' ? other.runId : '';
      expect(await bed.reach(id, 'completed')).toMatchObject({ result: null });
    }
    await worker.stop();
  });

  it('reads params that are kept outside of its row', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const text = 'x'.repeat(200_000);
    const outcome = await bed.engine.dispatcher.submitAndWait({
      kind: 'task',
      name: 'echo',
      lane,
      params: { text },
    });
    expect(outcome).toMatchObject({ type: 'run', run: { status: 'completed', epoch: 1, result: { text } } });
    await worker.stop();
  });

  it('is interrupted by a cancel right after its submit', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const runId = await bed.submit(bed.probe(lane, untilAborted));
    expect(await bed.engine.dispatcher.cancel(runId)).toMatchObject({ type: 'cancelled', from: 'running' });
    await allFree(worker, lane);
    expect(worker.running).toBe(0);
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'cancelled']);
    await worker.stop();
  });

  it('is handed back by a worker that stops while it is stored, and not asked for after that', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const { spec } = counting(lane, untilAborted);
    const { submitted } = await heldUp(spec);
    expect(bed.engine.localWorkers.size).toBe(1);
    const stopped = worker.stop(0);
    expect(bed.engine.localWorkers.size).toBe(0);
    await openGate();
    const runId = await submitted;
    await stopped;
    expect(await row(runId)).toMatchObject({ status: 'queued', epoch: 2, attempt: 0, lease_owner: null });
    const late = await bed.submit(bed.probe(lane, () => null));
    expect(await row(late)).toMatchObject({ status: 'queued', epoch: 0 });
    expect(hinted).toContain(late);
  });
});

describe('through the queue goes', () => {
  const accepted = (outcome: SubmitOutcome): string => {
    if (outcome.type !== 'accepted') throw new Error(`not accepted: ${outcome.type}`);
    expect(outcome.status).not.toBe('running');
    return outcome.runId;
  };

  it.each<[string, Partial<WorkSpec>]>([
    ['an idempotency key', { idempotencyKey: 'eager' }],
    ['a singleton key', { singletonKey: 'eager' }],
    ['a time', { runAfter: new Date(Date.now() + 3_600_000) }],
    ['a gate', { concurrency: [{ key: 'eager', limit: 1 }] }],
    ['a low priority', { priority: 'low' }],
  ])('what has %s', async (_, more) => {
    const lane = bed.newLane();
    const worker = await start(lane);
    accepted(await bed.engine.dispatcher.submit(bed.probe(lane, () => null, more)));
    await worker.stop();
  });

  it('what its worker does not know', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const spec = { kind: 'task', name: 'nobody.knows', lane } as const;
    accepted(await bed.engine.dispatcher.submit(spec, { allowUnknown: true }));
    await worker.stop();
  });

  it('what is submitted with others, each with its hint', async () => {
    const lane = bed.newLane();
    const worker = await start(lane, 20);
    const many = Array.from({ length: 3 }, () => counting(lane));
    const outcomes = await bed.engine.dispatcher.submitAll(many.map(({ spec }) => spec));
    const runIds = outcomes.map(accepted);
    for (const runId of runIds) await bed.reach(runId, 'completed');
    expect(hinted).toEqual(expect.arrayContaining(runIds));
    await worker.stop();
  });

  it('what finds the worker full but for the slots of hints, which bring it', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const done = deferred();
    for (let index = 0; index < 3; index += 1) await bed.submit(bed.probe(lane, () => done.promise));
    expect(worker.running).toBe(3);
    const runId = accepted(await bed.engine.dispatcher.submit(bed.probe(lane, () => null)));
    await bed.reach(runId, 'completed');
    done.resolve();
    await allFree(worker, lane);
    await worker.stop();
  });

  it('what is of a lane that was paused behind the back of its worker, whose slot is free again', async () => {
    const lane = bed.newLane();
    const worker = await bed.startWorker(lane, { eagerStart: true, slots: 4, heartbeatMs: 10_000 });
    await bed.admin.query(`INSERT INTO lanes (lane, paused_at, paused_by) VALUES ($1, now(), 'test')`, [
      lane,
    ]);
    const { spec, calls } = counting(lane);
    const runId = accepted(await bed.engine.dispatcher.submit(spec));
    expect(await row(runId)).toMatchObject({ status: 'queued', epoch: 0, lease_owner: null });
    await waitFor(() => hinted.includes(runId), { message: () => 'its hint' });
    await allFree(worker, lane);
    expect(calls).toEqual([]);
    await worker.stop();
  });
});

/** A dispatcher whose first inserts of runs go wrong, one way each. */
function faulty(...faults: readonly ('lost' | 'unanswered' | 'refused')[]): Dispatcher {
  const left = [...faults];
  const { pool } = bed.engine;
  const flaky: Queryable = {
    query: async (config: Parameters<Queryable['query']>[0]) => {
      const fault = config.name?.startsWith('spine_insert_runs') === true ? left.shift() : undefined;
      if (fault === 'refused') throw Object.assign(new Error('a check'), { code: '23514' });
      const answer = fault === 'lost' ? null : await pool.query(config);
      if (fault !== undefined) throw Object.assign(new Error('the socket closed'), { code: 'ECONNRESET' });
      return answer as never;
    },
  };
  return new Dispatcher({ ...bed.engine, pool: flaky });
}

describe('a process that dies between the commit and the handler', () => {
  it('costs its run one crash of three, and the next start comes through the queue', async () => {
    const lane = bed.newLane();
    const { spec, calls } = counting(lane);
    const outcome = await bed.engine.dispatcher.prepare({ ...spec, maxRetries: 1 });
    if (outcome.type !== 'prepared') throw new Error(`not prepared: ${outcome.type}`);
    const { run } = outcome;
    const claim = { workerId: newWorkerId(), leaseMs: 1, runIds: new Set([run.runId]) };
    const stored = await insertRuns(bed.engine.pool, [run], { ambiguous: false, hinted: true, claim });
    expect(stored).toMatchObject([{ type: 'inserted', status: 'running' }]);
    await shift(bed.admin, [run.runId], 'lease_expires_at', '-1 minute');
    expect(await reapRuns(bed.engine.pool)).toEqual([{ runId: run.runId, status: 'queued', crashed: true }]);
    const worker = await start(lane);
    await queue.publish([{ lane, priority: 2, runIds: [run.runId], label: 'relayed', delayMs: 0 }]);
    await bed.reach(run.runId, 'completed');
    const { rows } = await bed.admin.query('SELECT crash_count, attempt FROM runs WHERE id = $1', [
      run.runId,
    ]);
    expect(rows).toEqual([{ crash_count: 1, attempt: 2 }]);
    expect(calls).toEqual([3]);
    await worker.stop();
  });
});

describe('where an insert is not answered', () => {
  it('a run that it has stored starts once, without a hint', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const { spec, calls } = counting(lane);
    const outcome = await faulty('unanswered', 'lost').submit(spec);
    expect(outcome).toMatchObject({ type: 'accepted' });
    const runId = outcome.type === 'accepted' ? outcome.runId : '';
    expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    await allFree(worker, lane);
    expect(calls).toEqual([1]);
    expect(hinted).not.toContain(runId);
    expect(await bed.events(runId)).toEqual(['submitted', 'started', 'completed']);
    await worker.stop();
  });

  it('a run that it has not stored is stored by the next one, and hinted once', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const { spec, calls } = counting(lane);
    const { submitted, pid } = await heldUp(spec);
    await bed.admin.query('SELECT pg_terminate_backend($1)', [pid]);
    await openGate();
    const runId = await submitted;
    await bed.reach(runId, 'completed');
    await allFree(worker, lane);
    expect(calls).toEqual([1]);
    expect(hinted.filter((id) => id === runId)).toHaveLength(1);
    await worker.stop();
  });

  it('a run that it has stored starts although no insert is answered any more', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    const { spec, calls } = counting(lane);
    // As often as group commit sends it.
    const lost = Array.from({ length: 5 }, () => 'lost' as const);
    await expect(faulty('unanswered', ...lost).submit(spec)).rejects.toThrow('the socket closed');
    await waitFor(() => calls.length === 1, { message: () => 'the run starts' });
    await allFree(worker, lane);
    await worker.stop();
  });

  it('a slot is free again when nothing was stored', async () => {
    const lane = bed.newLane();
    const worker = await start(lane);
    await expect(faulty('refused').submit(bed.probe(lane, () => null))).rejects.toThrow('a check');
    expect(await room(worker, lane)).toBe(3);
    await worker.stop();
  });
});
