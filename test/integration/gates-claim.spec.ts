/** Claims of runs with gates, statement by statement. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cancelRun, isGateBusy, pauseLane, reapRuns, resumeLane } from '@spine/database';
import type { Pool } from '@spine/database';
import { waitFor } from '@spine/testing';
import {
  claim,
  ERROR,
  eventTypes,
  inconsistentRuns,
  openEngineDatabase,
  rowOf,
  runOf,
  settle,
  shift,
  somebodyWaitsForALock,
  store,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { deferred } from './engine-run-support.ts';
import { claimWithGates, lineOf, storeAndClaim, watchedPool } from './gates-support.ts';

let base: EngineDatabase;
let pool: Pool;
let admin: Pool;
beforeAll(async () => {
  base = await openEngineDatabase();
  ({ pool, admin } = base);
});
beforeEach(() => base.clear());
afterAll(() => base.close());

const limited = (limit: number, key = 'k') => ({ concurrency: [{ key, limit }] });
const ids = (runs: readonly { runId: string }[]): string[] => runs.map(({ runId }) => runId);

async function holders(key: string): Promise<string[]> {
  const { rows } = await admin.query<{ run_id: string }>(
    'SELECT run_id FROM concurrency_holds WHERE key = $1 ORDER BY run_id',
    [key],
  );
  return rows.map(({ run_id }) => run_id);
}

describe('a concurrency key', () => {
  it('lets as many through as it has places; the others wait in line, and nothing is charged to them', async () => {
    const { runIds, claimed, refused } = await storeAndClaim(base, 5, limited(2));
    expect(ids(claimed)).toEqual(runIds.slice(0, 2));
    expect(await holders('k')).toEqual(runIds.slice(0, 2));
    expect(ids(refused)).toEqual(runIds.slice(2));
    expect((await lineOf(admin, 'k')).map(({ run_id }) => run_id)).toEqual(runIds.slice(2));
    for (const runId of runIds.slice(2)) {
      expect(await rowOf(admin, runId)).toMatchObject({
        status: 'queued',
        attempt: 0,
        epoch: 0,
        started_at: null,
      });
      expect(await eventTypes(admin, runId)).toEqual(['submitted']);
    }
    expect(claimed[0]).toMatchObject({
      epoch: 1,
      attempt: 1,
      gates: [{ type: 'concurrency', key: 'k', limit: 2 }],
    });
    expect(await eventTypes(admin, runIds[0] ?? '')).toEqual(['submitted', 'started']);
    expect(await inconsistentRuns(admin)).toEqual([]);
  });

  it('lets the urgent through first, and of equals the older', async () => {
    const low = await storeMany(pool, 2, { ...limited(2), priority: 'low' });
    const high = await storeMany(pool, 1, { ...limited(2), priority: 'high' });
    const { claimed } = await claimWithGates(pool, [...low, ...high].reverse());
    expect(ids(claimed).sort()).toEqual([low[0], high[0]].sort());
  });

  it('of several, all must have room', async () => {
    const both = {
      concurrency: [
        { key: 'a', limit: 9 },
        { key: 'b', limit: 1 },
      ],
    };
    const { runIds, claimed } = await storeAndClaim(base, 2, both);
    expect(ids(claimed)).toEqual(runIds.slice(0, 1));
    expect(await holders('a')).toEqual(runIds.slice(0, 1));
    expect(await lineOf(admin, 'b')).toHaveLength(1);
    expect(await lineOf(admin, 'a')).toEqual([]);
  });

  const ENDS: readonly (readonly [string, (runId: string, epoch: number) => Promise<unknown>])[] = [
    ['is completed', (runId, epoch) => settle(pool, { runId, epoch })],
    [
      'fails for good',
      (runId, epoch) => settle(pool, { runId, epoch }, { type: 'dead_lettered', error: ERROR }),
    ],
    [
      'waits for its next attempt',
      (runId, epoch) => settle(pool, { runId, epoch }, { type: 'retry', error: ERROR, delayMs: 3_600_000 }),
    ],
    [
      'is deferred',
      (runId, epoch) => settle(pool, { runId, epoch }, { type: 'deferred', reason: 'r', delayMs: 3_600_000 }),
    ],
    ['is cancelled', (runId) => cancelRun(base.db, runId, null, 'test')],
    [
      'loses its lease',
      async (runId) => {
        await shift(admin, [runId], 'lease_expires_at', '-1 hour');
        await reapRuns(pool);
        await shift(admin, [runId], 'available_at', '1 hour');
      },
    ],
  ];
  it.each(ENDS)('has its place back as soon as its holder %s, with no further statement', async (_, end) => {
    const { runIds, claimed } = await storeAndClaim(base, 2, limited(1));
    const [first] = claimed;
    if (first === undefined) throw new Error('nothing was claimed');
    expect(await claimWithGates(pool, runIds)).toMatchObject({
      claimed: [],
      refused: [{ runId: runIds[1] }],
    });
    await end(first.runId, first.epoch);
    const { claimed: next, staleHolds } = await claimWithGates(pool, runIds);
    expect(ids(next)).toEqual(runIds.slice(1));
    expect(staleHolds).toBe(1);
    expect(await holders('k')).toEqual(runIds.slice(1));
  });

  it('counts a place by the epoch it was given at: of a run that starts anew the old one is nobody’s', async () => {
    const { runIds, claimed } = await storeAndClaim(base, 1, limited(1));
    await settle(
      pool,
      { runId: runIds[0] ?? '', epoch: claimed[0]?.epoch ?? 0 },
      { type: 'handed_back', reason: 'r' },
    );
    const again = await claimWithGates(pool, runIds);
    expect(again.claimed).toMatchObject([{ epoch: 3 }]);
    const { rows } = await admin.query('SELECT epoch::int FROM concurrency_holds');
    expect(rows).toEqual([{ epoch: 3 }]);
  });

  it('is not held any more by a run that has started anew without it', async () => {
    const [first, second] = [await storeMany(pool, 1), await storeMany(pool, 1, limited(1))];
    const gatesOf = () => [{ type: 'concurrency', key: 'k', limit: 1, from: 'handler' } as const];
    const [run] = (await claimWithGates(pool, first, { gatesOf })).claimed;
    await settle(pool, { runId: run?.runId ?? '', epoch: 1 }, { type: 'handed_back', reason: 'r' });
    // A release later its handler asks for nothing.
    expect((await claimWithGates(pool, first, { gatesOf: () => [] })).claimed).toMatchObject([{ epoch: 3 }]);
    expect(ids((await claimWithGates(pool, second)).claimed)).toEqual(second);
  });
});

describe('of two claims at once', () => {
  it('the second waits for the first and sees what it took: without the lock both would take the last place', async () => {
    const runIds = await storeMany(pool, 2, limited(1));
    const [reached, go] = [deferred(), deferred()];
    const slow = watchedPool(pool, async (text) => {
      if (text !== 'COMMIT') return;
      reached.resolve();
      await go.promise;
    });
    const first = claimWithGates(slow, runIds.slice(0, 1));
    await reached.promise;
    const second = claimWithGates(pool, runIds.slice(1));
    await somebodyWaitsForALock(admin);
    go.resolve();
    expect(ids((await first).claimed)).toEqual(runIds.slice(0, 1));
    expect(ids((await second).claimed)).toEqual([]);
  });

  it('one of the same run gets it', async () => {
    const runIds = await storeMany(pool, 1, limited(5));
    const both = await Promise.all([claimWithGates(pool, runIds), claimWithGates(pool, runIds)]);
    expect(both.flatMap(({ claimed }) => ids(claimed))).toEqual(runIds);
  });

  it('one whose process stands still loses its locks to the other', async () => {
    const runIds = await storeMany(pool, 2, limited(1));
    const [reached, wake] = [deferred(), deferred()];
    const still = watchedPool(pool, async (text) => {
      if (!text.includes('INSERT INTO concurrency_holds')) return;
      reached.resolve();
      await wake.promise;
    });
    const first = claimWithGates(still, runIds.slice(0, 1));
    const lost = expect(first).rejects.toThrow();
    await reached.promise;
    const taken = await waitFor(
      async () => {
        try {
          const { claimed } = await claimWithGates(pool, runIds.slice(1));
          return claimed.length > 0;
        } catch (error) {
          // Two seconds a try.
          expect(isGateBusy(error)).toBe(true);
          return false;
        }
      },
      { timeoutMs: 25_000 },
    );
    expect(taken).toBe(true);
    wake.resolve();
    await lost;
    expect(await rowOf(admin, runIds[0] ?? '')).toMatchObject({ status: 'queued', attempt: 0, epoch: 0 });
  });
});

describe('a run with gates', () => {
  it('is never claimed by the claim without', async () => {
    const runIds = await storeMany(pool, 1, limited(1));
    expect(await claim(pool, runIds)).toEqual([]);
  });

  it('without any is claimed here as well: a hint that is wrong about gates does no harm', async () => {
    const runIds = await storeMany(pool, 2);
    expect(ids((await claimWithGates(pool, runIds)).claimed).sort()).toEqual([...runIds].sort());
  });

  it('stays where its lane is paused, its handler unknown, its time not come or over', async () => {
    const spec = limited(9);
    const [inPaused, unknown, later, late] = await store(pool, [
      runOf({ ...spec, lane: 'shut' }),
      runOf({ ...spec, name: 'nobody_knows' }),
      runOf({ ...spec, runAfter: new Date(Date.now() + 3_600_000) }),
      runOf({ ...spec, expiresAt: new Date(Date.now() - 1_000) }),
    ]);
    await pauseLane(pool, 'shut', 'test', null);
    const all = [inPaused, unknown, later, late].map((id) => id ?? '');
    expect(await claimWithGates(pool, all)).toMatchObject({ claimed: [], refused: [] });
    await resumeLane(pool, 'shut');
    expect(ids((await claimWithGates(pool, all)).claimed)).toEqual([inPaused]);
  });

  it('takes the gates its handler has by now, and keeps them', async () => {
    const runIds = await storeMany(pool, 2);
    const gatesOf = () => [{ type: 'concurrency', key: 'now', limit: 1, from: 'handler' } as const];
    const { claimed, refused } = await claimWithGates(pool, runIds, { gatesOf });
    expect([claimed.length, refused.length]).toEqual([1, 1]);
    for (const runId of runIds) {
      expect(await rowOf(admin, runId)).toMatchObject({
        gates: [{ type: 'concurrency', key: 'now', limit: 1, from: 'handler' }],
      });
    }
  });

  it('whose gates nobody here can read is left to somebody who can', async () => {
    const runIds = await store(pool, [runOf({}, { gates: '[{"type":"later","key":"k"}]' })]);
    expect(await claimWithGates(pool, runIds)).toMatchObject({ claimed: [], refused: [] });
    expect(await rowOf(admin, runIds[0] ?? '')).toMatchObject({ status: 'queued' });
  });
});

describe('a rate', () => {
  const rated = (limit: number, perSeconds: number) => ({ rateLimits: [{ key: 'r', limit, perSeconds }] });

  it('lets as many start as it has permits, and says when the next may', async () => {
    const { runIds, claimed, refused, now } = await storeAndClaim(base, 5, rated(3, 3_600));
    expect(ids(claimed)).toEqual(runIds.slice(0, 3));
    expect(ids(refused)).toEqual(runIds.slice(3));
    const until = refused[0]?.until ?? 0;
    expect(until).toBeGreaterThan(now);
    expect(until).toBeLessThanOrEqual(now + 1_200_000);
  });

  it('has its permits back with time, by the database’s clock', async () => {
    const { runIds } = await storeAndClaim(base, 4, rated(2, 3_600));
    await admin.query(
      `UPDATE gate_states SET rate = jsonb_set(rate, '{at}', to_jsonb((rate->>'at')::bigint - 1800000)) WHERE key = 'r'`,
    );
    expect(ids((await claimWithGates(pool, runIds.slice(2))).claimed)).toEqual(runIds.slice(2, 3));
  });

  it('is not charged for a run that another of its gates refuses', async () => {
    const both = { ...rated(1, 3_600), ...limited(1, 'busy') };
    const [held] = (await storeAndClaim(base, 1, limited(1, 'busy'))).claimed;
    const { claimed } = await storeAndClaim(base, 1, both);
    expect(claimed).toEqual([]);
    await settle(pool, { runId: held?.runId ?? '', epoch: held?.epoch ?? 0 });
    expect((await storeAndClaim(base, 1, both)).claimed).toHaveLength(1);
    expect((await storeAndClaim(base, 1, rated(1, 3_600))).claimed).toEqual([]);
  });
});

describe('a singleton', () => {
  it('does not start while another run of its key is active, waiting for its next attempt included', async () => {
    const one = { singletonKey: 's' };
    const { claimed } = await storeAndClaim(base, 1, one);
    const [active] = claimed;
    if (active === undefined) throw new Error('nothing was claimed');
    const next = await storeMany(pool, 1, one);
    expect(await claimWithGates(pool, next)).toMatchObject({
      claimed: [],
      refused: [{ gate: { type: 'singleton' } }],
    });
    await settle(pool, active, { type: 'retry', error: ERROR, delayMs: 0 });
    expect(await claimWithGates(pool, next)).toMatchObject({ claimed: [] });
    const again = await claimWithGates(pool, [active.runId]);
    expect(again.claimed).toMatchObject([{ attempt: 2 }]);
    await settle(pool, { runId: active.runId, epoch: again.claimed[0]?.epoch ?? 0 });
    expect(ids((await claimWithGates(pool, next)).claimed)).toEqual(next);
  });
});
