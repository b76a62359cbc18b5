/** The lines before gates: who is told that it is its turn, and when. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  afterGateLocks,
  cancelRun,
  gatesWithLines,
  openBreaker,
  orderBreaker,
  pauseLane,
  pauseRun,
  registerWorker,
  resumeLane,
  sweepGateStates,
  sweepHolds,
  sweepWaiters,
  waitingByGate,
  wakeLines,
} from '@spine/database';
import type { GateKey, Pool } from '@spine/database';
import {
  HANDLERS,
  openEngineDatabase,
  rowOf,
  settle,
  somebodyWaitsForALock,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { deferred } from './engine-run-support.ts';
import { claimWithGates, forgetTurns, lineOf, storeAndClaim, watchedPool } from './gates-support.ts';

let base: EngineDatabase;
let pool: Pool;
let admin: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  ({ pool, admin } = base);
});
beforeEach(async () => {
  await base.clear();
  await liveWorker(['default']);
});
afterAll(() => base.close());

async function liveWorker(lanes: readonly string[], handlers: readonly string[] = HANDLERS): Promise<void> {
  await registerWorker(pool, {
    workerId: newId(),
    hostname: 'h',
    pid: 1,
    version: '0',
    lanes,
    handlers,
    slots: 10,
  });
}

const K: GateKey = { type: 'concurrency', key: 'k' };
const limited = (limit: number, key = 'k') => ({ concurrency: [{ key, limit }] });
const told = async (gate: GateKey = K): Promise<string[]> =>
  (await wakeLines(pool, [gate])).runs.map(({ runId }) => runId).sort();

describe('when a place is free', () => {
  it('the first of the line is told, once, with a hint for a run with gates', async () => {
    const { runIds, claimed } = await storeAndClaim(base, 4, limited(1));
    expect(await told()).toEqual([]);
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    const { runs } = await wakeLines(pool, [K]);
    expect(runs).toMatchObject([{ runId: runIds[1], lane: 'default', name: 'echo', gated: true }]);
    expect(await told()).toEqual([]);
    expect((await lineOf(admin, 'k')).map(({ woken }) => woken)).toEqual([true, false, false]);
  });

  it('as many are told as there are places, the urgent first', async () => {
    const { runIds, claimed } = await storeAndClaim(base, 4, limited(2));
    const urgent = await storeMany(pool, 1, { ...limited(2), priority: 'realtime' });
    await claimWithGates(pool, urgent);
    for (const { runId, epoch } of claimed) await settle(pool, { runId, epoch });
    expect(await told()).toEqual([runIds[2], ...urgent].sort());
  });

  it('whoever was told keeps it: somebody behind who asks meanwhile is refused', async () => {
    const { runIds, claimed } = await storeAndClaim(base, 2, limited(1));
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    expect(await told()).toEqual([runIds[1]]);
    const newcomer = await storeMany(pool, 1, limited(1));
    expect((await claimWithGates(pool, newcomer)).claimed).toEqual([]);
    expect((await claimWithGates(pool, runIds)).claimed).toMatchObject([{ runId: runIds[1] }]);
  });

  it('but not for ever: a turn nobody came for goes to the next who asks, and is announced again', async () => {
    const { runIds, claimed } = await storeAndClaim(base, 2, limited(1));
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    expect(await told()).toEqual([runIds[1]]);
    await forgetTurns(admin);
    expect(await told()).toEqual([runIds[1]]);
    await forgetTurns(admin);
    const newcomer = await storeMany(pool, 1, limited(1));
    expect((await claimWithGates(pool, newcomer)).claimed).toMatchObject([{ runId: newcomer[0] }]);
  });

  it('those that nobody could start are passed over: paused, cancelled, of a paused lane, of no live worker', async () => {
    const spec = limited(1);
    const { claimed } = await storeAndClaim(base, 1, spec);
    const line = [
      ...(await storeMany(pool, 2, spec)),
      ...(await storeMany(pool, 1, { ...spec, lane: 'shut' })),
      ...(await storeMany(pool, 1, { ...spec, lane: 'nobody' })),
      ...(await storeMany(pool, 1, spec)),
    ];
    const [paused = '', cancelled = '', inShut = '', ofNobody = '', last = ''] = line;
    await claimWithGates(pool, line);
    await liveWorker(['shut']);
    await liveWorker(['nobody'], ['task:other']);
    await pauseRun(pool, paused, null, 'test');
    await cancelRun(base.db, cancelled, null, 'test');
    await pauseLane(pool, 'shut', 'test', null);
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    expect(await told()).toEqual([last]);
    // Nobody keeps a place for a run that has ended.
    await cancelRun(base.db, last, null, 'test');
    await resumeLane(pool, 'shut');
    expect(await told()).toEqual([inShut]);
    await cancelRun(base.db, inShut, null, 'test');
    expect(await told()).toEqual([]);
    await liveWorker(['nobody']);
    expect(await told()).toEqual([ofNobody]);
  });

  it('the line is looked at after who is about to join it: no place is free with a run waiting that nobody tells', async () => {
    const runIds = await storeMany(pool, 2, limited(1));
    const { claimed } = await claimWithGates(pool, runIds.slice(0, 1));
    const [reached, go] = [deferred(), deferred()];
    const slow = watchedPool(pool, async (text) => {
      if (text !== 'COMMIT') return;
      reached.resolve();
      await go.promise;
    });
    // Refused because of the first, which ends before the refusal has committed.
    const refused = claimWithGates(slow, runIds.slice(1));
    await reached.promise;
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    expect(await told()).toEqual([]);
    const looked = afterGateLocks(pool, [K]).then(() => told());
    await somebodyWaitsForALock(admin);
    go.resolve();
    expect((await refused).claimed).toEqual([]);
    expect(await looked).toEqual(runIds.slice(1));
  });
});

describe('a run in line', () => {
  it('asks by itself again after minutes, not at once', async () => {
    const { runIds } = await storeAndClaim(base, 2, limited(1));
    const { dispatch_after, available_at } = await rowOf(admin, runIds[1] ?? '');
    const { rows } = await admin.query<{ ok: boolean }>(
      `SELECT $1::timestamptz BETWEEN now() + interval '4 minutes' AND now() + interval '6 minutes' AS ok`,
      [dispatch_after],
    );
    expect(rows).toEqual([{ ok: true }]);
    expect(available_at.getTime()).toBeLessThanOrEqual(Date.now());
  });

  it('keeps its place in the order when it is refused again, and joins another line where another gate is shut', async () => {
    const spec = { ...limited(1), rateLimits: [{ key: 'r', limit: 1, perSeconds: 3_600 }] };
    const { runIds, claimed } = await storeAndClaim(base, 2, spec);
    const since = async () =>
      (await admin.query<{ since: Date }>('SELECT since FROM gate_waiters WHERE run_id = $1', [runIds[1]]))
        .rows[0]?.since;
    const before = await since();
    await claimWithGates(pool, runIds.slice(1));
    expect(await since()).toEqual(before);
    await settle(pool, { runId: claimed[0]?.runId ?? '', epoch: 1 });
    await claimWithGates(pool, runIds.slice(1));
    expect(await lineOf(admin, 'k')).toEqual([]);
    expect(await lineOf(admin, 'r')).toMatchObject([{ run_id: runIds[1] }]);
  });
});

describe('a rate', () => {
  const R: GateKey = { type: 'rate', key: 'r' };

  it('tells as many as it has permits, and when to look again', async () => {
    const { runIds } = await storeAndClaim(base, 5, {
      rateLimits: [{ key: 'r', limit: 2, perSeconds: 3_600 }],
    });
    const { runs, looks } = await wakeLines(pool, [R]);
    expect(runs).toEqual([]);
    expect(looks[0]?.againInMs).toBeGreaterThan(1_000_000);
    await admin.query(
      `UPDATE gate_states SET rate = jsonb_set(rate, '{at}', to_jsonb((rate->>'at')::bigint - 7200000)) WHERE key = 'r'`,
    );
    expect(await told(R)).toEqual(runIds.slice(2, 4));
    expect(await told(R)).toEqual([]);
  });
});

describe('a breaker', () => {
  const B: GateKey = { type: 'breaker', key: 'edgar' };
  const spec = { breakers: ['edgar'] };

  it('that is open tells nobody, one when its time is over, all when it is closed', async () => {
    await openBreaker(pool, 'edgar', { forMs: 3_600_000, failures: 5, by: 'test', note: null });
    const { runIds, claimed } = await storeAndClaim(base, 3, spec);
    expect(claimed).toEqual([]);
    expect(await told(B)).toEqual([]);
    await admin.query(`UPDATE breakers SET open_until = now() - interval '1 second'`);
    expect(await told(B)).toEqual(runIds.slice(0, 1));
    const { claimed: tries, probes } = await claimWithGates(pool, runIds);
    expect(tries).toMatchObject([{ runId: runIds[0] }]);
    expect([...probes]).toEqual([['edgar', runIds[0]]]);
    expect(await told(B)).toEqual([]);
    await orderBreaker(pool, 'edgar', { type: 'reset' }, 'test', null);
    expect(await told(B)).toEqual(runIds.slice(1));
  });
});

describe('sweeping', () => {
  it('removes places of attempts that are over, and leaves the others', async () => {
    const { claimed } = await storeAndClaim(base, 3, limited(3));
    for (const { runId, epoch } of claimed.slice(1)) await settle(pool, { runId, epoch });
    // Two at a time: where the first stretch ends, the second goes on.
    const first = await sweepHolds(pool, null, 2);
    const second = await sweepHolds(pool, first.next, 2);
    expect([first.removed + second.removed, second.next]).toEqual([2, null]);
    const { rows } = await admin.query('SELECT run_id FROM concurrency_holds');
    expect(rows).toEqual([{ run_id: claimed[0]?.runId }]);
  });

  it('removes from the lines whose run has ended, and nobody else', async () => {
    const { runIds } = await storeAndClaim(base, 4, limited(1));
    const [, ended = '', paused = '', waits = ''] = runIds;
    await cancelRun(base.db, ended, null, 'test');
    await pauseRun(pool, paused, null, 'test');
    let after: string | null = null;
    let removed = 0;
    do {
      const swept = await sweepWaiters(pool, after, 1);
      after = swept.next;
      removed += swept.removed;
    } while (after !== null);
    expect(removed).toBe(1);
    expect((await lineOf(admin, 'k')).map(({ run_id }) => run_id)).toEqual([paused, waits]);
  });

  it('forgets keys nobody has asked for in an hour, and no rate of which something is used up', async () => {
    await storeAndClaim(base, 1, limited(1, 'old'));
    await storeAndClaim(base, 1, limited(1, 'new'));
    await storeAndClaim(base, 1, { rateLimits: [{ key: 'used', limit: 1, perSeconds: 86_400 }] });
    await storeAndClaim(base, 1, { rateLimits: [{ key: 'full', limit: 1, perSeconds: 1 }] });
    await admin.query(
      `UPDATE gate_states SET updated_at = now() - interval '2 hours',
         keep_until = CASE WHEN key = 'full' THEN now() - interval '2 hours' ELSE keep_until END WHERE key <> 'new'`,
    );
    expect(await sweepGateStates(pool, null, 100)).toEqual({ removed: 2, next: null });
    const { rows } = await admin.query<{ key: string }>('SELECT key FROM gate_states ORDER BY key');
    expect(rows.map(({ key }) => key)).toEqual(['new', 'used']);
  });

  it('finds every line, whatever the stretches', async () => {
    for (const key of ['a', 'b', 'c']) await storeAndClaim(base, 3, limited(1, key));
    await storeAndClaim(base, 1, { singletonKey: 'b' });
    await storeAndClaim(base, 1, { singletonKey: 'b' });
    const found: string[] = [];
    for (let after: GateKey | null = null; ;) {
      const [next] = await gatesWithLines(pool, after, 1);
      if (next === undefined) break;
      found.push(`${next.type} ${next.key}`);
      after = next;
    }
    expect(found).toEqual(['concurrency a', 'concurrency b', 'concurrency c', 'singleton b']);
    expect((await waitingByGate(pool)).get('concurrency')).toBe(6);
    expect((await waitingByGate(pool)).get('rate')).toBe(0);
  });
});
