/** Work items: one holder at a time, whoever else asks, and whatever becomes of the holder. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  addWorkItems,
  cancelWorkItem,
  claimWorkItems,
  completeWorkItem,
  extendWorkItem,
  failWorkItem,
  getWorkItem,
  listWorkItems,
} from '@spine/database';
import type { NewWorkItem, WorkItem } from '@spine/database';
import { openEngineDatabase, openTransaction } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
beforeEach(async () => {
  await base.admin.query('TRUNCATE work_items');
});
afterAll(() => base.close());

const item = (day: string, more: Partial<NewWorkItem> = {}): NewWorkItem => ({
  domain: 'd',
  workflow: 'w',
  partitionKey: { day },
  ...more,
});

const claim = (limit = 10, lockedBy = 'me'): Promise<WorkItem[]> =>
  claimWorkItems(base.db, { domain: 'd', workflow: 'w', lockedBy, limit });

const daysOf = (items: readonly WorkItem[]) => items.map(({ partitionKey }) => partitionKey['day']);

async function claimOne(): Promise<WorkItem> {
  const [one] = await claim(1);
  if (one === undefined) throw new Error('nothing to claim');
  return one;
}

const holdOf = ({ workItemId, attemptCount }: WorkItem) => ({ workItemId, attempt: attemptCount });

/** Moves the end of every lock and of every wait into the past. */
async function letTimePass(): Promise<void> {
  await base.admin.query(
    `UPDATE work_items SET locked_until = now() - interval '1 second' WHERE state = 'RUNNING'`,
  );
  await base.admin.query(
    `UPDATE work_items SET next_attempt_at = now() - interval '1 second' WHERE state = 'RETRY_WAIT'`,
  );
}

describe('a wish', () => {
  it('is made, claimed and done as the documentation shows', async () => {
    const [{ db }, runId] = [base, newId()];
    await addWorkItems(db, [{ domain: 'prices', workflow: 'daily', partitionKey: { day: '2026-01-30' } }]);
    const [held] = await claimWorkItems(db, {
      domain: 'prices',
      workflow: 'daily',
      lockedBy: 'loader',
      limit: 1,
    });
    if (held !== undefined) {
      const hold = { workItemId: held.workItemId, attempt: held.attemptCount };
      const outcome = await completeWorkItem(db, hold, runId); // 'lost' when somebody else has claimed it since
      expect(outcome.type).toBe('written');
    }
    const { items } = await listWorkItems(db, { domain: 'prices' }, { limit: 10 });
    expect(items).toMatchObject([{ state: 'COMPLETE', attemptCount: 1, latestRunId: runId }]);
  });

  it('is one, however often it is made', async () => {
    expect(await addWorkItems(base.db, [item('mon'), item('tue')])).toBe(2);
    expect(await addWorkItems(base.db, [item('mon', { priority: 'high' }), item('wed')])).toBe(1);
    expect((await listWorkItems(base.db, { domain: 'd' }, { limit: 10 })).total).toBe(3);
  });

  it('is claimed by priority, then by how long it is due, and not before its time', async () => {
    await addWorkItems(base.db, [
      item('later', { desiredAt: new Date(Date.now() + 3_600_000), priority: 'realtime' }),
      item('b', { desiredAt: new Date('2025-01-02T00:00:00Z') }),
      item('a', { desiredAt: new Date('2025-01-01T00:00:00Z') }),
      item('urgent', { desiredAt: new Date('2025-01-03T00:00:00Z'), priority: 'high' }),
      item('other', { workflow: 'x' }),
    ]);
    expect(daysOf(await claim(2))).toEqual(['urgent', 'a']);
    expect(daysOf(await claim())).toEqual(['b']);
    expect(await claim()).toEqual([]);
  });
});

describe('claims at once', () => {
  it('share the items out, each to one', async () => {
    await addWorkItems(
      base.db,
      Array.from({ length: 40 }, (_, n) => item(`${n}`)),
    );
    const claims = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((who) => claim(10, who)));
    const days = claims.flatMap(daysOf);
    expect(new Set(days).size).toBe(days.length);
    expect([...days, ...daysOf(await claim(40))]).toHaveLength(40);
  });

  it('do not wait for one another', async () => {
    await addWorkItems(base.db, [item('mon'), item('tue')]);
    const other = await openTransaction(base.admin);
    await other.client.query(`SELECT 1 FROM work_items WHERE partition_key = '{"day":"mon"}' FOR UPDATE`);
    expect(daysOf(await claim())).toEqual(['tue']);
    await other.end('ROLLBACK');
  });
});

describe('a holder', () => {
  it('completes its item, once', async () => {
    await addWorkItems(base.db, [item('mon')]);
    const mine = await claimOne();
    const runId = newId();
    expect(mine).toMatchObject({ state: 'RUNNING', attemptCount: 1, lockedBy: 'me' });
    expect(await extendWorkItem(base.db, holdOf(mine), { runId })).toMatchObject({ type: 'written' });
    expect(await completeWorkItem(base.db, holdOf(mine))).toMatchObject({
      type: 'written',
      item: { state: 'COMPLETE', latestRunId: runId, lockedBy: null },
    });
    expect(await completeWorkItem(base.db, holdOf(mine))).toEqual({ type: 'lost' });
  });

  it('that was silent for too long is followed by another one, and refused from then on', async () => {
    await addWorkItems(base.db, [item('mon')]);
    const gone = await claimOne();
    expect(await claim()).toEqual([]);
    await letTimePass();
    const next = await claimOne();
    expect(next).toMatchObject({ workItemId: gone.workItemId, attemptCount: 2 });
    for (const write of [
      extendWorkItem(base.db, holdOf(gone)),
      completeWorkItem(base.db, holdOf(gone)),
      failWorkItem(base.db, holdOf(gone), { message: 'late' }),
    ]) {
      expect(await write).toEqual({ type: 'lost' });
    }
    expect(await completeWorkItem(base.db, holdOf(next))).toMatchObject({ type: 'written' });
  });

  it('that fails gives the item back for later, until its attempts are used up', async () => {
    await addWorkItems(base.db, [item('mon', { maxAttempts: 2 })]);
    const first = await failWorkItem(base.db, holdOf(await claimOne()), { message: 'no\0 file' });
    expect(first).toMatchObject({
      type: 'written',
      item: { state: 'RETRY_WAIT', lastError: 'no\ufffd file' },
    });
    expect(await claim()).toEqual([]);
    await letTimePass();
    const last = await failWorkItem(base.db, holdOf(await claimOne()), { message: 'still none' });
    expect(last).toMatchObject({
      type: 'written',
      item: { state: 'FAILED', attemptCount: 2, nextAttemptAt: null },
    });
    await letTimePass();
    expect(await claim()).toEqual([]);
  });

  it('that fails for good ends it at once', async () => {
    await addWorkItems(base.db, [item('mon')]);
    const outcome = await failWorkItem(base.db, holdOf(await claimOne()), {
      message: 'no',
      retryable: false,
    });
    expect(outcome).toMatchObject({ type: 'written', item: { state: 'FAILED' } });
  });

  it('of the last attempt that died fails the item: it does not go on for ever', async () => {
    await addWorkItems(base.db, [item('mon', { maxAttempts: 1 })]);
    const { workItemId } = await claimOne();
    await letTimePass();
    expect(await claim()).toEqual([]);
    expect(await getWorkItem(base.db, workItemId)).toMatchObject({
      state: 'FAILED',
      lastError: 'the lock of me was over: it gave no word',
    });
  });
});

describe('a cancel', () => {
  it('takes the item from whoever holds it, and leaves one that is over', async () => {
    await addWorkItems(base.db, [item('mon')]);
    const mine = await claimOne();
    expect(await cancelWorkItem(base.db, mine.workItemId)).toMatchObject({
      type: 'cancelled',
      item: { state: 'CANCELLED', lockedBy: null },
    });
    expect(await completeWorkItem(base.db, holdOf(mine))).toEqual({ type: 'lost' });
    expect(await cancelWorkItem(base.db, mine.workItemId)).toMatchObject({ type: 'over' });
    expect(await cancelWorkItem(base.db, newId())).toEqual({ type: 'not_found' });
  });
});

describe('a list', () => {
  it('is newest first, filtered, and goes on after the last one seen', async () => {
    await addWorkItems(base.db, [item('a'), item('b'), item('c'), item('d', { workflow: 'x' })]);
    const page = await listWorkItems(base.db, { domain: 'd', workflow: 'w' }, { limit: 2 });
    expect([daysOf(page.items), page.total, page.hasMore]).toEqual([['c', 'b'], 3, true]);
    const before = page.items[1]?.workItemId ?? '';
    const rest = await listWorkItems(base.db, { domain: 'd', workflow: 'w' }, { limit: 2, before });
    expect([daysOf(rest.items), rest.hasMore]).toEqual([['a'], false]);
    await claimOne();
    expect((await listWorkItems(base.db, { state: 'RUNNING' }, { limit: 9 })).total).toBe(1);
    expect((await listWorkItems(base.db, { partitionKey: { day: 'd' } }, { limit: 9 })).total).toBe(1);
  });
});
