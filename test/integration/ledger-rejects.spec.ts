import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, sha256Hex } from '@spine/core';
import { countRejectsByReason, getReject, listRejects, RejectSink, writeRejects } from '@spine/database';
import type { Reject, RejectFilter } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { REJECTS_DOMAIN, rejectsOf } from './ledger-rejects-support.ts';

let base: EngineDatabase;
beforeAll(async () => {
  base = await openEngineDatabase();
});
afterAll(() => base.close());

const week = { week: '2025-12-26' };

function reject(raw: string, more: Partial<Reject> = {}): Reject {
  return {
    reasonCode: 'INVALID_SYMBOL',
    reasonDetail: 'symbol "BAD$YM" contains $',
    raw,
    sourceLocator: 'file:///data/raw.csv',
    lineNumber: 42,
    recordHash: sha256Hex(raw),
    ...more,
  };
}

describe('a sink', () => {
  it('keeps every row that one stage refuses, with what it takes to judge it again', async () => {
    const runId = newId();
    const sink = new RejectSink({
      db: base.db,
      domain: 'sink',
      stage: 'NORMALIZE',
      runId,
      batchId: 'b',
      ruleVersion: 'v1',
    });
    await sink.write(reject('a', { sourceHash: sha256Hex('file') }), week);
    await sink.writeBatch([reject('b', { lineNumber: null }), reject('c')], week);
    expect([sink.count, sink.written]).toEqual([3, 3]);
    // The same row of the same source, refused for the same reason, is the same reject.
    await sink.writeBatch([reject('a'), reject('a', { reasonCode: 'NULL_FIELD' })], week);
    expect([sink.count, sink.written]).toEqual([5, 4]);

    const { items } = await listRejects(base.db, { domain: 'sink' }, { limit: 10 });
    expect(items.toReversed().map(({ raw, reasonCode }) => [raw, reasonCode])).toEqual([
      ['a', 'INVALID_SYMBOL'],
      ['b', 'INVALID_SYMBOL'],
      ['c', 'INVALID_SYMBOL'],
      ['a', 'NULL_FIELD'],
    ]);
    const first = items.at(-1);
    expect(await getReject(base.db, first?.rejectId ?? '')).toEqual(first);
    expect(first).toMatchObject({
      ...reject('a'),
      domain: 'sink',
      stage: 'NORMALIZE',
      partitionKey: week,
      runId,
      batchId: 'b',
      ruleVersion: 'v1',
      sourceHash: sha256Hex('file'),
      closedAt: null,
    });
    expect(items.at(-2)).toMatchObject({ lineNumber: null, sourceHash: null });
  });

  it('writes with the caller’s transaction, and nothing half', async () => {
    const write = base.db.transaction().execute(async (trx) => {
      const sink = new RejectSink({ db: trx, domain: 'half', stage: 'S', runId: newId() });
      await sink.writeBatch(
        Array.from({ length: 1_500 }, (_, index) => reject(`row ${index}`)),
        week,
      );
      await sink.write(reject('lower', { reasonCode: 'lower' }), week);
    });
    await expect(write).rejects.toMatchObject({ constraint: 'rejects_reason' });
    expect((await listRejects(base.db, { domain: 'half' }, { limit: 1 })).total).toBe(0);
  });
});

describe('the list and the counts', () => {
  it('find rejects by every field, newest first', async () => {
    const runId = newId();
    const sinkOf = (stage: string, run: string, ruleVersion: string) =>
      new RejectSink({ db: base.db, domain: 'list', stage, runId: run, ruleVersion });
    await sinkOf('A', runId, 'v1').write(reject('1'), week);
    await sinkOf('B', newId(), 'v2').writeBatch([reject('2', { reasonCode: 'ODD' }), reject('3')], {
      week: 'other',
    });
    const find = async (filter: RejectFilter) => {
      const page = await listRejects(base.db, { domain: 'list', ...filter }, { limit: 10 });
      expect(page.total).toBe(page.items.length);
      return page.items.map(({ raw }) => raw);
    };
    expect(await find({})).toEqual(['3', '2', '1']);
    expect(await find({ stage: 'B' })).toEqual(['3', '2']);
    expect(await find({ partitionKey: week })).toEqual(['1']);
    expect(await find({ reasonCode: 'ODD' })).toEqual(['2']);
    expect(await find({ ruleVersion: 'v2' })).toEqual(['3', '2']);
    expect(await find({ runId })).toEqual(['1']);
    expect(await find({ open: false })).toEqual([]);
    expect(await countRejectsByReason(base.db, 'list')).toEqual([
      { reasonCode: 'INVALID_SYMBOL', total: 2, totalIsCapped: false, open: 2, openIsCapped: false },
      { reasonCode: 'ODD', total: 1, totalIsCapped: false, open: 1, openIsCapped: false },
    ]);
    expect(await countRejectsByReason(base.db, 'nobody')).toEqual([]);
  });

  it('count up to 10,000 and say so', async () => {
    const runId = newId();
    await writeRejects(
      base.db,
      Array.from({ length: 10_001 }, (_, index) => ({
        ...reject(`row ${index}`),
        domain: 'many',
        stage: 'S',
        partitionKey: week,
        runId,
        batchId: null,
      })),
    );
    expect(await countRejectsByReason(base.db, 'many')).toEqual([
      { reasonCode: 'INVALID_SYMBOL', total: 10_000, totalIsCapped: true, open: 10_000, openIsCapped: true },
    ]);
    const page = await listRejects(base.db, { domain: 'many' }, { limit: 2 });
    expect(page).toMatchObject({ total: 10_000, totalIsCapped: true, hasMore: true });
  });
});

describe('the table of repairs', () => {
  const refuse = (stage: string, raws: readonly string[]) => writeRejects(base.db, rejectsOf(stage, raws));
  const rejects = async (filter: RejectFilter) =>
    (await listRejects(base.db, { domain: REJECTS_DOMAIN, ...filter }, { limit: 10 })).items.toReversed();
  const add = (rejectId: string | undefined, outcome: string, runId: string = newId()) =>
    base.pool.query(
      `INSERT INTO reject_repairs (reject_id, run_id, outcome, rule_version, reason_code, reason_detail)
       VALUES ($1, $2, $3, 'v', $4, $4)`,
      [rejectId, runId, outcome, outcome === 'still_rejected' ? 'BAD' : null],
    );

  it('closes a reject with its repair, once, and takes none of what is not open', async () => {
    const stage = 'BY_HAND';
    await refuse(stage, ['a', 'b']);
    const [a, b] = (await rejects({ stage })).map(({ rejectId }) => rejectId);
    const runId = newId();
    await add(a, 'still_rejected', runId);
    await expect(add(a, 'repaired', runId)).rejects.toMatchObject({ constraint: 'reject_repairs_pkey' });
    await add(a, 'superseded');
    const open = 'a repair is of an open reject';
    await expect(add(a, 'still_rejected')).rejects.toThrow(open);
    await expect(add('999999', 'still_rejected')).rejects.toThrow(open);
    await expect(add(a, 'repaired')).rejects.toMatchObject({ constraint: 'reject_repairs_one_end' });
    expect((await rejects({ stage, open: true })).map(({ rejectId }) => rejectId)).toEqual([b]);
    expect((await rejects({ stage, open: false })).map(({ rejectId }) => rejectId)).toEqual([a]);

    // Two at once: the second waits for the first, and is refused.
    const racing = await Promise.allSettled([add(b, 'repaired'), add(b, 'repaired')]);
    expect(racing.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
  });

  it('is the only one who closes, and rejects stay otherwise as they are', async () => {
    const stage = 'KEPT';
    await refuse(stage, ['a']);
    const [reject] = await rejects({ stage });
    const id = [reject?.rejectId];
    const denied = { code: '42501' };
    const services = base.pool;
    for (const statement of [
      'UPDATE rejects SET closed_at = now()',
      'DELETE FROM rejects',
      'UPDATE reject_repairs SET run_id = run_id',
      'DELETE FROM reject_repairs',
    ]) {
      await expect(services.query(statement)).rejects.toMatchObject(denied);
    }
    await expect(base.admin.query('DELETE FROM rejects WHERE reject_id = $1', id)).rejects.toThrow(
      'rejects is append only',
    );
    const refusal = `reject ${reject?.rejectId} may be closed once and not be changed`;
    for (const set of [`raw = 'other'`, `closed_at = now(), raw = 'other'`]) {
      await expect(base.admin.query(`UPDATE rejects SET ${set} WHERE reject_id = $1`, id)).rejects.toThrow(
        refusal,
      );
    }
    await add(reject?.rejectId, 'repaired');
    for (const set of ['closed_at = NULL', 'closed_at = now()']) {
      await expect(base.admin.query(`UPDATE rejects SET ${set} WHERE reject_id = $1`, id)).rejects.toThrow(
        refusal,
      );
    }
    await expect(base.admin.query('DELETE FROM reject_repairs')).rejects.toThrow(
      'reject_repairs is append only',
    );
    await expect(base.admin.query(`UPDATE reject_repairs SET outcome = 'superseded'`)).rejects.toThrow(
      'reject_repairs is append only',
    );
  });
});
