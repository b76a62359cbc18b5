/** The statements of a publication by themselves. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { asQueryable, isCompletedAt, runWithKey, settleInTransaction } from '@spine/database';
import type { ClaimedRun, SettleOutcome } from '@spine/database';
import { newId } from '@spine/core';
import {
  claimed,
  eventTypes,
  openEngineDatabase,
  openTransaction,
  rowOf,
  runOf,
  settle,
  somebodyWaitsForALock,
  store,
  storeMany,
} from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { planOf, sentBy } from './plan-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
afterAll(() => base.close());

const COMPLETED = { type: 'completed', result: '{"ok":true}' } as const;

/** Settles in a transaction of its own, which commits. */
const publish = ({ runId, epoch }: Pick<ClaimedRun, 'runId' | 'epoch'>): Promise<SettleOutcome> =>
  base.db
    .transaction()
    .execute((trx) => settleInTransaction(trx, { runId, epoch, settlement: COMPLETED }, { source: 'test' }));

describe('settling in a transaction', () => {
  it('completes the run with its event', async () => {
    const run = await claimed(base.pool);
    expect(await publish(run)).toBe('settled');
    expect(await rowOf(base.admin, run.runId)).toMatchObject({
      status: 'completed',
      finished_epoch: run.epoch,
      result: { ok: true },
      lease_owner: null,
    });
    expect(await eventTypes(base.admin, run.runId)).toEqual(['submitted', 'started', 'completed']);
  });

  it('ends the run when it is settled, not when the transaction began', async () => {
    const run = await claimed(base.pool);
    const began = await base.db.transaction().execute(async (trx) => {
      const on = asQueryable(trx);
      const { rows } = await on.query<{ now: Date }>({ text: 'SELECT now(), pg_sleep(0.02)', values: [] });
      await settleInTransaction(trx, { ...run, settlement: COMPLETED }, { source: 'test' });
      return rows[0]?.now ?? new Date(Number.NaN);
    });
    const { rows } = await base.admin.query<{ completed_at: Date; timestamp: Date }>(
      `SELECT r.completed_at, e.timestamp FROM runs r JOIN run_events e ON e.run_id = r.id AND e.terminal WHERE r.id = $1`,
      [run.runId],
    );
    const [row] = rows;
    expect(row?.completed_at.getTime()).toBeGreaterThan(began.getTime());
    expect(row?.timestamp).toEqual(row?.completed_at);
  });

  it('is refused at another epoch, and at its own a second time', async () => {
    const run = await claimed(base.pool);
    expect(await publish({ ...run, epoch: run.epoch + 1 })).toBe('fenced');
    expect(await publish(run)).toBe('settled');
    expect(await publish(run)).toBe('fenced');
  });

  it('is refused where the run has been settled otherwise', async () => {
    const run = await claimed(base.pool);
    await settle(base.pool, run, { type: 'handed_back', reason: 'test' });
    expect(await publish(run)).toBe('fenced');
  });
});

describe('the question after an unanswered COMMIT', () => {
  it('waits for a transaction that is still on its way', async () => {
    for (const how of ['COMMIT', 'ROLLBACK'] as const) {
      const run = await claimed(base.pool);
      const open = await openTransaction(base.admin);
      await settle(open.client, run, COMPLETED);
      const asked = isCompletedAt(base.pool, run.runId, run.epoch);
      await somebodyWaitsForALock(base.admin);
      await open.end(how);
      expect(await asked).toBe(how === 'COMMIT');
    }
  });

  it('is answered for its own epoch alone, and for a run that is gone', async () => {
    const run = await claimed(base.pool);
    await settle(base.pool, run, COMPLETED);
    expect(await isCompletedAt(base.pool, run.runId, run.epoch)).toBe(true);
    expect(await isCompletedAt(base.pool, run.runId, run.epoch + 1)).toBe(false);
    expect(await isCompletedAt(base.pool, newId(), 1)).toBe(false);
  });
});

describe('a run by its idempotency key', () => {
  it('is found, or not', async () => {
    const [runId] = await store(base.pool, [runOf({ idempotencyKey: 'key' })]);
    expect((await runWithKey(base.pool, 'key'))?.runId).toBe(runId);
    expect(await runWithKey(base.pool, 'another')).toBeNull();
  });
});

describe('among many runs', () => {
  beforeAll(async () => {
    await storeMany(base.pool, 5_000);
    await base.admin.query('ANALYZE runs');
  });

  it.each([
    ['asks by the primary key', () => sentBy((db) => isCompletedAt(db, newId(), 1)), 'runs_pkey'],
    ['finds a key by its index', () => sentBy((db) => runWithKey(db, 'key')), 'runs_idempotency_key'],
  ])('%s', async (_, statements, index) => {
    const [sent] = await statements();
    if (sent === undefined) throw new Error('nothing was sent');
    for (const mode of ['force_custom_plan', 'force_generic_plan'] as const) {
      const { seqScans, indexes } = await planOf(base.admin, mode, sent);
      expect(seqScans).toEqual([]);
      expect(indexes).toContain(index);
    }
  });
});
