/** Places that are given on by the worker where they were freed: what guards the claim, and who follows. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  cancelRun,
  CLAIM_SUCCESSORS_SQL,
  claimAtVersions,
  decideSuccession,
  decodeGates,
  LINE_HEADS_SQL,
  lineHeads,
  lockGates,
  pauseLane,
  registerWorker,
  resumeLane,
  sweepGateStates,
} from '@spine/database';
import type { ClaimedRun, Pool, Succession, SuccessorOptions } from '@spine/database';
import { MemoryHintQueue } from '@spine/execution';
import { waitFor } from '@spine/testing';
import {
  HANDLERS,
  inconsistentRuns,
  LEASE_MS,
  openEngineDatabase,
  settle,
  somebodyWaitsForALock,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { deferred, openBed } from './engine-run-support.ts';
import type { Bed } from './engine-run-support.ts';
import { claimWithGates, lineOf, storeAndClaim, watchedPool } from './gates-support.ts';

const limited = (limit: number, key = 'k') => ({ concurrency: [{ key, limit }] });
const ids = (runs: readonly { readonly runId: string }[]): string[] => runs.map(({ runId }) => runId);

describe('who follows', () => {
  let base: EngineDatabase;
  let pool: Pool;
  let admin: Pool;
  beforeAll(async () => {
    base = await openEngineDatabase();
    ({ pool, admin } = base);
  });
  beforeEach(() => base.clear());
  afterAll(() => base.close());

  const me: SuccessorOptions = {
    workerId: newId(),
    leaseMs: LEASE_MS,
    lanes: ['default'],
    handlers: HANDLERS,
    withParams: [],
  };
  const look = async (keys: readonly string[] = ['k']): Promise<Succession> =>
    decideSuccession(await lineHeads(pool, keys, me), ({ gates }) => decodeGates(gates), 100);
  const follow = ({ runs, versions }: Succession): Promise<ClaimedRun[]> =>
    claimAtVersions(pool, runs, versions, me);

  it('is the first of the line, claimed as by a gate, with its place, out of the line', async () => {
    const { runIds, claimed } = await storeAndClaim(base, 3, limited(1));
    expect((await look()).runs).toEqual([]);
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    const [next, ...more] = await follow(await look());
    expect([next, more]).toMatchObject([{ runId: runIds[1], epoch: 1, attempt: 1 }, []]);
    const { rows } = await admin.query('SELECT key, run_id, epoch FROM concurrency_holds');
    expect(rows).toEqual([{ key: 'k', run_id: runIds[1], epoch: 1 }]);
    expect(await lineOf(admin, 'k')).toEqual([{ run_id: runIds[2], woken: false }]);
    expect((await look()).runs).toEqual([]);
    expect(await inconsistentRuns(admin)).toEqual([]);
  });

  it('is nobody when somebody has decided since the look, whatever was decided', async () => {
    const { claimed } = await storeAndClaim(base, 3, limited(2));
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    const seen = await look();
    expect(seen.runs).toHaveLength(1);
    const [newcomer = ''] = await storeMany(pool, 1, { ...limited(2), priority: 'realtime' });
    expect((await claimWithGates(pool, [newcomer])).claimed).toHaveLength(1);
    expect(await follow(seen)).toEqual([]);
    const { rows } = await admin.query(`SELECT count(*)::int AS n FROM runs WHERE status = 'running'`);
    expect(rows).toEqual([{ n: 2 }]);
  });

  it('waits for who is deciding, and then is nobody', async () => {
    const { claimed } = await storeAndClaim(base, 2, limited(1));
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    const seen = await look();
    const client = await admin.connect();
    await client.query('BEGIN');
    await lockGates(client, [{ type: 'concurrency', key: 'k', limit: 1, from: 'spec' }]);
    const following = follow(seen);
    await somebodyWaitsForALock(admin);
    await client.query('COMMIT');
    client.release();
    expect(await following).toEqual([]);
    expect(await follow(await look())).toHaveLength(1);
  });

  it('of two who look at once is one', async () => {
    const { claimed } = await storeAndClaim(base, 4, limited(2));
    for (const { runId, epoch } of claimed) await settle(pool, { runId, epoch });
    const [one, other] = [await look(), await look()];
    const both = await Promise.all([follow(one), follow(other)]);
    expect(both.map(({ length }) => length).sort()).toEqual([0, 2]);
  });

  it('is passed over when it cannot start any more, without harm to the others', async () => {
    const { runIds, claimed } = await storeAndClaim(base, 4, limited(2));
    for (const { runId, epoch } of claimed) await settle(pool, { runId, epoch });
    const seen = await look();
    await cancelRun(base.db, runIds[2] ?? '', null, 'test');
    expect(ids(await follow(seen))).toEqual(runIds.slice(3));
    await pauseLane(pool, 'default', 'test', null);
    expect((await look()).runs).toEqual([]);
    await resumeLane(pool, 'default');
  });

  it('is not who stands behind somebody that another worker has to start', async () => {
    const { claimed } = await storeAndClaim(base, 1, limited(1));
    const [elsewhere = ''] = await storeMany(pool, 1, { ...limited(1), lane: 'other' });
    const [here = ''] = await storeMany(pool, 1, limited(1));
    await claimWithGates(pool, [elsewhere, here]);
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    // As long as nobody live could start it, it holds up nobody.
    expect(ids((await look()).runs)).toEqual([here]);
    await registerWorker(pool, {
      workerId: newId(),
      hostname: 'h',
      pid: 1,
      version: '0',
      lanes: ['other'],
      handlers: HANDLERS,
      slots: 1,
    });
    expect(await look()).toMatchObject({ runs: [], open: ['k'] });
  });
});

describe('a worker where a place is freed', () => {
  let bed: Bed;
  afterEach(() => bed.close());

  /** A worker with a run that holds the only place until it is told to end, and `count` others in line. */
  async function line(count: number, options: { pool?: (of: Pool) => Pool; slots?: number } = {}) {
    bed = await openBed({ queue: new MutableQueue(), maintained: false });
    const { engine, newLane, probe, submit, startWorker, admin } = bed;
    const lane = newLane();
    const worker = await startWorker(lane, {
      gatePool: options.pool?.(engine.gatePool) ?? engine.gatePool,
      slots: options.slots ?? 20,
    });
    const [started, finish] = [deferred(), deferred()];
    const first = probe(
      lane,
      async () => {
        started.resolve();
        await finish.promise;
      },
      limited(1),
    );
    const holder = await submit(first);
    await started.promise;
    const order: number[] = [];
    const runIds: string[] = [];
    for (let n = 0; n < count; n += 1) {
      runIds.push(await submit(probe(lane, () => order.push(n), limited(1))));
    }
    await waitFor(async () => (await lineOf(admin, 'k')).length === count);
    return { worker, holder, runIds, order, finish, lane };
  }

  it('starts the next itself, in the order of the line, without a hint', async () => {
    let decisions = 0;
    const counting = (of: Pool): Pool =>
      watchedPool(of, (text) => {
        if (text.startsWith('BEGIN')) decisions += 1;
      });
    const { runIds, order, finish } = await line(20, { pool: counting });
    const before = decisions;
    MutableQueue.mute(bed);
    finish.resolve();
    for (const runId of runIds)
      expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    expect(order).toEqual(runIds.map((_, index) => index));
    expect(decisions).toBe(before);
    expect(await inconsistentRuns(bed.admin)).toEqual([]);
  });

  it('executes who followed once, though the answer was lost', async () => {
    let lost = 0;
    const losing = (of: Pool): Pool =>
      watchedPool(of, (text) => {
        if (text !== CLAIM_SUCCESSORS_SQL || lost === 2) return;
        lost += 1;
        return 'lose the answer';
      });
    const { runIds, order, finish } = await line(3, { pool: losing });
    MutableQueue.mute(bed);
    finish.resolve();
    for (const runId of runIds)
      expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1, crashCount: 0 });
    expect([lost, order]).toEqual([2, [0, 1, 2]]);
  });

  it('tells the line where it cannot look, or others always decide first', async () => {
    const [looks, claims] = [{ failed: 0 }, { failed: 0 }];
    const failing = (of: Pool): Pool =>
      watchedPool(of, async (text) => {
        if (text === LINE_HEADS_SQL && looks.failed === 0) {
          looks.failed += 1;
          throw new Error('not now');
        }
        if (text !== CLAIM_SUCCESSORS_SQL) return;
        claims.failed += 1;
        await bed.admin.query('UPDATE gate_states SET updated_at = now()');
      });
    const { runIds, finish } = await line(3, { pool: failing });
    finish.resolve();
    for (const runId of runIds)
      expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
    expect(looks.failed).toBe(1);
    expect(claims.failed).toBeGreaterThan(1);
  });

  it('tells the line of a key whose row was swept while its place was held for long', async () => {
    const { runIds, finish } = await line(2);
    await bed.admin.query(`UPDATE gate_states SET updated_at = updated_at - interval '2 hours'`);
    expect(await sweepGateStates(bed.engine.pool, null, 10)).toMatchObject({ removed: 1 });
    finish.resolve();
    for (const runId of runIds)
      expect(await bed.reach(runId, 'completed')).toMatchObject({ epoch: 1, attempt: 1 });
  });

  it('lets others have its only free slot in between', async () => {
    const { finish, runIds, order, lane } = await line(30, { slots: 2 });
    const [started, release] = [deferred(), deferred()];
    const filler = await bed.submit(
      bed.probe(lane, async () => {
        started.resolve();
        await release.promise;
      }),
    );
    await started.promise;
    const other = await bed.submit(bed.probe(lane, () => order.push(-1)));
    finish.resolve();
    for (const runId of [other, ...runIds]) await bed.reach(runId, 'completed');
    expect(order.indexOf(-1)).toBeLessThan(30);
    release.resolve();
    await bed.reach(filler, 'completed');
  });

  it('leaves the next to others while it stops', async () => {
    const { worker, holder, runIds, finish, lane } = await line(2);
    const stopping = worker.stop(5_000);
    finish.resolve();
    await stopping;
    expect(await bed.reach(holder, 'completed')).toMatchObject({ attempt: 1 });
    for (const runId of runIds) expect((await bed.engine.dispatcher.get(runId))?.attempt).toBe(0);
    await bed.startWorker(lane, { pollMs: 20 });
    for (const runId of runIds) await bed.reach(runId, 'completed');
  });
});

/** Loses every hint once it is mute. */
class MutableQueue extends MemoryHintQueue {
  #mute = false;

  static mute({ engine: { queue } }: Bed): void {
    if (queue instanceof MutableQueue) queue.#mute = true;
  }

  override publish(...hints: Parameters<MemoryHintQueue['publish']>): Promise<void> {
    return this.#mute ? Promise.resolve() : super.publish(...hints);
  }
}
