/** Locks as fenced lease rows, on a real Postgres whose clock alone decides. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asQueryable } from '@spine/database';
import { Ticker } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { LockLostError, LockManager } from '@spine/scheduling';
import type { HeldLock } from '@spine/scheduling';
import { waitFor } from '@spine/testing';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let a: LockManager;
let b: LockManager;
beforeAll(async () => {
  base = await openEngineDatabase();
  a = new LockManager({ db: base.db, owner: 'a' });
  b = new LockManager({ db: base.db, owner: 'b' });
});
afterAll(() => base.close());

const TTL = 60_000;
let keys = 0;
const newKey = (): string => `test:${(keys += 1)}`;

const take = async (locks: LockManager, key: string): Promise<HeldLock> => {
  const outcome = await locks.acquire(key, TTL);
  if (outcome.type !== 'acquired') throw new Error(`held by ${outcome.by}`);
  return { key, token: outcome.token, expiresAt: outcome.expiresAt };
};

/** As if the owner had stood still past its lease. */
const lapse = (key: string) =>
  base.admin.query(
    `UPDATE locks SET acquired_at = now() - interval '2 hours', expires_at = now() - interval '1 hour 1 second' WHERE lock_key = $1`,
    [key],
  );

describe('a lock', () => {
  it('has one owner, who is named to the others', async () => {
    const key = newKey();
    await take(a, key);
    expect(await b.acquire(key, TTL)).toMatchObject({ type: 'held', by: 'a' });
    expect(await a.acquire(key, TTL)).toMatchObject({ type: 'held', by: 'a' });
  });

  it('is taken by exactly one of many at once', async () => {
    const key = newKey();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        new LockManager({ db: base.db, owner: `p${index}` }).acquire(key, TTL),
      ),
    );
    expect(outcomes.filter(({ type }) => type === 'acquired')).toHaveLength(1);
  });

  it('is renewed and released by its token alone', async () => {
    const key = newKey();
    const lock = await take(a, key);
    expect(await b.renew({ ...lock, token: lock.token + 1 }, TTL)).toBeNull();
    expect(await b.release({ ...lock, token: lock.token + 1 })).toBe(false);
    const renewed = await a.renew(lock, TTL);
    expect(renewed?.expiresAt.getTime()).toBeGreaterThanOrEqual(lock.expiresAt.getTime());
    expect(await a.release(lock)).toBe(true);
    expect(await a.renew(lock, TTL)).toBeNull();
    await take(b, key);
  });

  it('that has expired is taken by the next, with a larger token', async () => {
    const key = newKey();
    const old = await take(a, key);
    await lapse(key);
    const taken = await take(b, key);
    expect(taken.token).toBeGreaterThan(old.token);
    expect(await a.renew(old, TTL)).toBeNull();
    expect(await a.release(old)).toBe(false);
  });

  it('that has expired and that nobody took may be renewed', async () => {
    const key = newKey();
    const lock = await take(a, key);
    await lapse(key);
    expect(await a.renew(lock, TTL)).not.toBeNull();
    expect(await b.acquire(key, TTL)).toMatchObject({ type: 'held' });
  });

  it('is released by force, listed and cleaned up', async () => {
    const prefix = `list:${newKey()}`;
    await take(a, `${prefix}:1`);
    await take(b, `${prefix}:2`);
    await lapse(`${prefix}:2`);
    expect((await a.list(prefix)).map(({ owner, active }) => [owner, active])).toEqual([
      ['a', true],
      ['b', false],
    ]);
    expect(await b.forceRelease(`${prefix}:1`)).toMatchObject({ owner: 'a' });
    expect(await b.forceRelease(`${prefix}:1`)).toBeNull();
    expect(await a.cleanUp()).toBeGreaterThanOrEqual(1);
    expect(await a.list(prefix)).toEqual([]);
  });

  it.each(['', ' ', 'a b', 'x'.repeat(201), 'a\0'])('key %j is refused', async (key) => {
    await expect(a.acquire(key, TTL)).rejects.toThrow(/allowed are letters/);
  });

  it.each([0, -1, 10, Number.NaN, 1e12])('time of %d ms is refused', async (ttlMs) => {
    await expect(a.acquire(newKey(), ttlMs)).rejects.toThrow(/allowed are 1000 to/);
  });
});

describe('a write under a lock', () => {
  beforeAll(async () => {
    await base.admin.query(
      'CREATE TABLE written (token bigint); GRANT INSERT, SELECT ON written TO spine_app',
    );
  });

  it('is made while the lock is held, and refused when it was lost', async () => {
    const key = newKey();
    const lock = await take(a, key);
    expect(await a.fenced(lock, () => Promise.resolve('done'))).toBe('done');
    await lapse(key);
    await expect(a.fenced(lock, () => Promise.resolve('done'))).rejects.toThrow(LockLostError);
    await take(b, key);
    await expect(a.fenced(lock, () => Promise.resolve('done'))).rejects.toThrow(LockLostError);
  });

  it('holds off whoever would take the lock until it has committed', async () => {
    const key = newKey();
    const lock = await take(a, key);
    const order: string[] = [];
    let forced: Promise<unknown> = Promise.resolve();
    await a.fenced(lock, async () => {
      forced = b.forceRelease(key).then(() => order.push('taken'));
      await waitFor(async () => {
        const { rows } = await base.admin.query<{ waiting: number }>(
          `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'DELETE FROM locks%'`,
        );
        return rows[0]?.waiting === 1;
      });
      order.push('written');
    });
    await forced;
    expect(order).toEqual(['written', 'taken']);
  });

  it('never comes from two tokens out of order, whatever lapses', async () => {
    const action = fc.record({ who: fc.integer({ min: 0, max: 2 }), lapses: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 12 }), async (actions) => {
        const key = newKey();
        await base.admin.query('TRUNCATE written');
        const managers = [0, 1, 2].map((index) => new LockManager({ db: base.db, owner: `m${index}` }));
        const held = new Map<number, HeldLock>();
        for (const { who, lapses } of actions) {
          const locks = managers[who] ?? a;
          const outcome = await locks.acquire(key, TTL);
          if (outcome.type === 'acquired') held.set(who, { key, ...outcome });
          // Everybody who believes to hold it writes.
          for (const [index, lock] of held) {
            await managers[index]
              ?.fenced(lock, (trx) =>
                asQueryable(trx).query({ text: 'INSERT INTO written VALUES ($1)', values: [lock.token] }),
              )
              .catch((error: unknown) => {
                if (!(error instanceof LockLostError)) throw error;
              });
          }
          if (lapses) await lapse(key);
        }
        const { rows } = await base.admin.query<{ token: number }>(
          'SELECT token::int FROM written ORDER BY ctid',
        );
        const tokens = rows.map(({ token }) => token);
        expect(tokens).toEqual([...tokens].sort((x, y) => x - y));
      }),
      { numRuns: 15 },
    );
  });
});

describe('a service under a lease', () => {
  it('does its rounds in one process, and in another once that one stops', async () => {
    const key = newKey();
    const rounds: string[] = [];
    const service = (locks: LockManager, name: string) =>
      new Ticker({
        name,
        everyMs: 5,
        logger: silentLogger(),
        tick: () => {
          rounds.push(name);
          return Promise.resolve(false);
        },
      }).under(locks.lease(key, TTL));
    const first = service(a, 'a');
    const second = service(b, 'b');
    first.start();
    await waitFor(() => rounds.length > 2);
    second.start();
    await waitFor(() => rounds.length > 8);
    expect(new Set(rounds)).toEqual(new Set(['a']));
    await first.stop();
    await waitFor(() => rounds.includes('b'));
    await second.stop();
    expect(await a.list(key)).toEqual([]);
  });

  it('does none while it cannot ask for its lease, and goes on with the same lease after that', async () => {
    const key = newKey();
    let [rounds, failures] = [0, 0];
    const lease = a.lease(key, 1_000);
    const service = new Ticker({
      name: 'away',
      everyMs: 5,
      logger: silentLogger(),
      tick: () => {
        rounds += 1;
        return Promise.resolve(false);
      },
    }).under({
      hold: async () => {
        try {
          return await lease.hold();
        } catch (error) {
          failures += 1;
          throw error;
        }
      },
      release: () => lease.release(),
    });
    service.start();
    try {
      await waitFor(() => rounds > 0);
      const token = lease.held?.token;
      await base.admin.query('ALTER TABLE locks RENAME TO locks_away');
      try {
        // The lease is asked for again once a third of it is over; from then on there are no rounds.
        await waitFor(() => failures > 0);
        const before = rounds;
        await waitFor(() => failures > 3);
        expect(rounds).toBe(before);
      } finally {
        await base.admin.query('ALTER TABLE locks_away RENAME TO locks');
      }
      const before = rounds;
      await waitFor(() => rounds > before);
      expect(lease.held?.token).toBe(token);
    } finally {
      await service.stop();
    }
  });
});
