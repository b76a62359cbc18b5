/**
 * A worker that stands still for longer than its leases and goes on: the zombie, seen from inside. That what it writes is
 * refused is tested elsewhere; here, that it knows, and asks before it does anything.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { reapRuns } from '@spine/database';
import type { Queryable } from '@spine/database';
import { taskSpec, Worker } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { deferred, openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { inconsistentRuns, openTransaction, shift } from './engine-support.ts';
import { statementName } from './interception.ts';

const LANE = 'default';
const LEASE_MS = 1_000;
const BLOCK_MS = LEASE_MS + 100;
/** Heartbeats are sent for a reason only; nor is there a control channel, which sends one when it is connected. */
const NEVER = 3_600_000;

let bed: Bed;
/** What was sent and done, in order. */
let log: string[];
beforeEach(async () => {
  log = [];
  bed = await openBed({ queue: 'memory', maintained: false });
});
afterEach(async () => {
  expect(await inconsistentRuns(bed.admin)).toEqual([]);
  await bed.close();
});

/** Blocks the thread, without computing. */
function standStill(ms = BLOCK_MS): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

type Step = (send: () => Promise<unknown>) => Promise<unknown>;

/** The real database; the names of the statements are kept, some are in the hands of the test. */
function observed(steps: Readonly<Record<string, Step>> = {}): Queryable {
  const { pool } = bed.engine;
  return {
    query: (config) => {
      const name = statementName(config);
      log.push(name);
      const send = () => pool.query(config);
      return (steps[name]?.(send) ?? send()) as never;
    },
  };
}

const OUTCOMES = ['spine_settle', 'spine_exchange'];
const started = () =>
  bed.startWorker(LANE, { leaseMs: LEASE_MS, heartbeatMs: NEVER, control: undefined, pool: observed() });

async function lapses(): Promise<number> {
  return (await bed.engine.metrics.lapses.get()).values.reduce((sum, { value }) => sum + value, 0);
}

/** Takes a run from its worker as the reaper does. */
async function lose(runId: string): Promise<void> {
  const { client, end } = await openTransaction(bed.admin);
  await shift(client, [runId], 'lease_expires_at', '-1 minute');
  expect(await reapRuns(client)).toHaveLength(1);
  await end('COMMIT');
}

describe('a worker that stood still for longer than a lease', () => {
  it('sends a heartbeat before it settles, and counts it', async () => {
    await started();
    const runId = await bed.submit(
      bed.probe(LANE, () => {
        standStill();
        log.push('handler ended');
        return 'done';
      }),
    );
    expect(await bed.reach(runId, 'completed')).toMatchObject({ result: 'done', epoch: 1 });
    const after = log.slice(log.indexOf('handler ended') + 1);
    expect(after.filter((name) => name === 'spine_heartbeat' || OUTCOMES.includes(name))).toEqual([
      'spine_heartbeat',
      expect.stringMatching(/^spine_(settle|exchange)$/) as string,
    ]);
    expect(await lapses()).toBeGreaterThanOrEqual(1);
  });

  it('and is told to stop before a heartbeat was answered claims nothing any more', async () => {
    const [asked, answer] = [deferred(), deferred()];
    const spine_heartbeat: Step = async (send) => {
      asked.resolve();
      await answer.promise;
      return send();
    };
    const worker = await bed.startWorker(LANE, {
      leaseMs: LEASE_MS,
      heartbeatMs: NEVER,
      control: undefined,
      pool: observed({ spine_heartbeat }),
    });
    standStill();
    const runId = await bed.submit(taskSpec('echo'));
    await asked.promise;
    const stopped = worker.stop(0);
    // Until it waits for nothing but the heartbeat.
    for (let turns = 0; turns < 20; turns += 1) await nextTurn();
    answer.resolve();
    await stopped;
    expect(log).not.toContain('spine_claim');
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ status: 'queued', epoch: 0 });
  });

  it('does not even send the outcome of a run that somebody else has by now', async () => {
    await started();
    const began = deferred<string>();
    const taken = deferred();
    const runId = await bed.submit(
      bed.probe(LANE, async ({ run }) => {
        began.resolve(run.runId);
        await taken.promise;
        standStill();
        return 'too late';
      }),
    );
    await lose(await began.promise);
    taken.resolve();
    await waitFor(async () => (await bed.count('fenced', { operation: 'settle' })) === 1);
    expect(log.filter((name) => OUTCOMES.includes(name))).toEqual([]);
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({
      status: 'queued',
      epoch: 2,
      result: null,
    });
  });

  it('does not start what it had claimed before, when it is somebody else’s by now', async () => {
    let calls = 0;
    const runId = await bed.submit(bed.probe(LANE, () => (calls += 1)));
    const pool = observed({
      spine_claim: async (send) => {
        const claimed = await send();
        await lose(runId);
        standStill();
        return claimed;
      },
    });
    await bed.startWorker(LANE, { leaseMs: LEASE_MS, heartbeatMs: NEVER, control: undefined, pool });
    await waitFor(async () => (await bed.count('fenced', { operation: 'settle' })) === 1);
    expect(calls).toBe(0);
    expect(log.filter((name) => OUTCOMES.includes(name))).toEqual([]);
    expect(await bed.engine.dispatcher.get(runId)).toMatchObject({ status: 'queued', epoch: 2 });
  });

  it('does not start what it was answered too late, though its heartbeats were on time', async () => {
    let calls = 0;
    const runId = await bed.submit(bed.probe(LANE, () => (calls += 1)));
    const pool = observed({
      spine_claim: async (send) => {
        const askedAt = performance.now();
        const claimed = await send();
        await lose(runId);
        await waitFor(() => performance.now() > askedAt + LEASE_MS);
        return claimed;
      },
    });
    await bed.startWorker(LANE, { leaseMs: LEASE_MS, heartbeatMs: 50, control: undefined, pool });
    await waitFor(async () => (await bed.count('fenced', { operation: 'settle' })) === 1);
    expect(calls).toBe(0);
  });

  it('starts what it still holds, after the heartbeat that says so', async () => {
    const runId = await bed.submit(bed.probe(LANE, () => log.push('handler')));
    const pool = observed({
      spine_claim: async (send) => {
        const claimed = await send();
        standStill();
        return claimed;
      },
    });
    await bed.startWorker(LANE, { leaseMs: LEASE_MS, heartbeatMs: NEVER, control: undefined, pool });
    expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    const wanted = ['spine_claim', 'spine_heartbeat', 'handler'];
    expect(log.filter((name) => wanted.includes(name)).slice(0, 3)).toEqual(wanted);
  });

  it('claims nothing before its heartbeat', async () => {
    await started();
    log.length = 0;
    standStill();
    await bed.reach(await bed.submit(taskSpec('echo')), 'completed');
    const wanted = ['spine_heartbeat', 'spine_claim'];
    expect(log.filter((name) => wanted.includes(name)).slice(0, 2)).toEqual(wanted);
  });

  it('settles all the same when no heartbeat gets through: the fence decides', async () => {
    const pool = observed({ spine_heartbeat: () => Promise.reject(new Error('no answer')) });
    await bed.startWorker(LANE, { leaseMs: LEASE_MS, heartbeatMs: NEVER, control: undefined, pool });
    const runId = await bed.submit(
      bed.probe(LANE, () => {
        standStill();
        return 'done';
      }),
    );
    expect(await bed.reach(runId, 'completed')).toMatchObject({ result: 'done', epoch: 1 });
  });
});

describe('a worker that is on time', () => {
  it('counts its leases from its start, however long ago it was made', async () => {
    const { engine } = bed;
    const options = {
      ...engine,
      lanes: [LANE],
      slots: 5,
      pollMs: NEVER,
      pool: observed(),
      control: undefined,
    };
    const worker = new Worker({ ...options, leaseMs: LEASE_MS, heartbeatMs: NEVER, eagerStart: false });
    standStill();
    await worker.start();
    await bed.reach(await bed.submit(taskSpec('echo')), 'completed');
    await worker.stop(0);
    expect(await lapses()).toBe(0);
  });

  it('asks for no heartbeat beside those of its loop', async () => {
    await bed.startWorker(LANE, { heartbeatMs: NEVER, control: undefined, pool: observed() });
    for (let count = 0; count < 5; count += 1)
      await bed.reach(await bed.submit(taskSpec('echo')), 'completed');
    expect(log.filter((name) => name === 'spine_heartbeat')).toEqual([]);
    expect(await lapses()).toBe(0);
  });
});
