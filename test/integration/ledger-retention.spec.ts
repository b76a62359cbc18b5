/** Deleting what is old of the ledger: what goes, what stays for ever, and that nobody can ask for more. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  assetKey,
  LEDGER_RETENTION,
  LEDGER_TABLES,
  newId,
  parseRetentionPolicy,
  PURGEABLE_TABLES,
} from '@spine/core';
import type { PurgeableTable } from '@spine/core';
import {
  ledgerEligible,
  MAX_LEDGER_PURGE_BATCH,
  purgeLedger,
  recordMaterialization,
  retentionReport,
} from '@spine/database';
import type { Db, NewMaterialization, Pool } from '@spine/database';
import { createLedgerRetention } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { openEngineDatabase, openTransaction } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { watchedDb } from './plan-support.ts';

let base: EngineDatabase;
let admin: Pool;
let db: Db;
beforeAll(async () => {
  base = await openEngineDatabase();
  ({ admin, db } = base);
});
beforeEach(() =>
  admin.query(
    'TRUNCATE quality_results, work_items, assets, asset_materializations, asset_lineage, asset_observations, asset_dependencies',
  ),
);
afterAll(() => base.close());

const DAYS = Object.fromEntries(
  PURGEABLE_TABLES.map((table) => [table, LEDGER_RETENTION[table].minimumDays]),
);
const daysOf = (table: PurgeableTable): number => DAYS[table] ?? 0;

/** Puts `count` rows of that age into a table. */
const ADD: Readonly<Record<PurgeableTable, (count: number, daysAgo: number) => Promise<unknown>>> = {
  quality_results: (count, daysAgo) =>
    admin.query(
      `INSERT INTO quality_results (id, domain, partition_key, check_name, category, status, message, run_id, created_at)
       SELECT overlay(gen_random_uuid()::text placing left(spine_run_id_at(t)::text, 13) from 1 for 13)::uuid, 'd', '{}', 'c',
         'INTEGRITY', 'PASS', '', gen_random_uuid(), t
       FROM (SELECT now() - $2::int * interval '1 day' AS t) t, generate_series(1, $1::int)`,
      [count, daysAgo],
    ),
  asset_materializations: async (count, daysAgo) => {
    await admin.query(`INSERT INTO assets (asset_key, domain) VALUES ('a', 'd') ON CONFLICT DO NOTHING`);
    await admin.query(
      `INSERT INTO asset_materializations (asset_key, domain, partition_key, run_id, data_version, materialized_at)
       SELECT 'a', 'd', '{}', gen_random_uuid(), 'v', now() - $2::int * interval '1 day' FROM generate_series(1, $1::int)`,
      [count, daysAgo],
    );
  },
  asset_observations: async (count, daysAgo) => {
    await admin.query(`INSERT INTO assets (asset_key, domain) VALUES ('a', 'd') ON CONFLICT DO NOTHING`);
    await admin.query(
      `INSERT INTO asset_observations (asset_key, domain, partition_key, observed_by, observed_at)
       SELECT 'a', 'd', '{}', 'o', now() - $2::int * interval '1 day' FROM generate_series(1, $1::int)`,
      [count, daysAgo],
    );
  },
  work_items: (count, daysAgo) =>
    admin.query(
      `INSERT INTO work_items (id, domain, workflow, partition_key, state, completed_at, created_at)
       SELECT overlay(gen_random_uuid()::text placing left(spine_run_id_at(t)::text, 13) from 1 for 13)::uuid, 'd', 'w',
         gen_random_uuid()::text, 'COMPLETE', t, t
       FROM (SELECT now() - $2::int * interval '1 day' AS t) t, generate_series(1, $1::int)`,
      [count, daysAgo],
    ),
};

async function count(table: string): Promise<number> {
  const { rows } = await admin.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return rows[0]?.count ?? -1;
}

const purge = (
  table: PurgeableTable,
  more: { olderThanDays?: number; batch?: number; after?: number | null } = {},
) => purgeLedger(db, { table, olderThanDays: daysOf(table), after: null, batch: 1_000, ...more });

describe.each(PURGEABLE_TABLES)('of %s', (table) => {
  it('what is older than the period goes, batch by batch, as the report says; the rest stays', async () => {
    const days = daysOf(table);
    await ADD[table](5, days + 2);
    await ADD[table](2, days - 2);
    expect(await ledgerEligible(db, table, days)).toMatchObject({
      eligible: 5,
      eligibleIsCapped: false,
      minimumDays: days,
    });
    const first = await purge(table, { batch: 3 });
    expect(first).toMatchObject({ deleted: 3 });
    expect(first.last).not.toBeNull();
    expect((await purge(table, { batch: 3, after: first.last })).deleted).toBe(2);
    expect(await purge(table)).toEqual({ deleted: 0, last: null });
    expect([await count(table), (await ledgerEligible(db, table, days)).eligible]).toEqual([2, 0]);
  });

  it('rows that another transaction holds are left to it', async () => {
    await ADD[table](3, daysOf(table) + 2);
    const other = await openTransaction(admin);
    await other.client.query(`SELECT 1 FROM (SELECT * FROM ${table} LIMIT 1 FOR UPDATE) held`);
    const { deleted } = await purge(table);
    await other.end('ROLLBACK');
    // The newest materialization stays in any case.
    expect(deleted).toBe(table === 'asset_materializations' ? 1 : 2);
  });

  it('no day less than the minimum is taken, by the code or by the database', async () => {
    await ADD[table](3, daysOf(table) + 2);
    const olderThanDays = daysOf(table) - 1;
    await expect(purge(table, { olderThanDays })).rejects.toMatchObject({ name: 'RetentionPolicyError' });
    await expect(ledgerEligible(db, table, olderThanDays)).rejects.toMatchObject({
      name: 'RetentionPolicyError',
    });
    const raw = (period: string, batch = 10) =>
      base.pool.query('SELECT * FROM spine_purge_ledger($1, $2::interval, NULL, $3)', [table, period, batch]);
    await expect(raw(`${olderThanDays} days`)).rejects.toMatchObject({ code: '22023' });
    for (const batch of [0, MAX_LEDGER_PURGE_BATCH + 1]) {
      await expect(raw(`${daysOf(table)} days`, batch)).rejects.toMatchObject({ code: '22023' });
    }
    expect(await count(table)).toBe(3);
    await raw(`${daysOf(table)} days`);
  });
});

describe('a table that is kept forever', () => {
  it.each(LEDGER_TABLES.filter((table) => LEDGER_RETENTION[table].keep === 'forever'))(
    '%s is not deleted from, whoever asks',
    async (table) => {
      await expect(
        base.pool.query(`SELECT * FROM spine_purge_ledger($1, '100 years', NULL, 10)`, [table]),
      ).rejects.toMatchObject({ code: '22023' });
      // The services may not do it by hand either, except where nothing of a history can be lost.
      if (table === 'backfills') return;
      await expect(base.pool.query(`DELETE FROM ${table}`)).rejects.toMatchObject({ code: '42501' });
    },
  );
});

describe('old materializations', () => {
  const KEY = { domain: 'd', runId: '', batchId: null, partitionKey: {} };
  const make = async (name: string, more: Partial<NewMaterialization> = {}) =>
    (await recordMaterialization(db, { ...KEY, assetKey: assetKey(name), runId: newId(), ...more }))
      .materializationId;
  const left = async (): Promise<number[]> => {
    const { rows } = await admin.query<{ id: number }>(
      'SELECT materialization_id AS id FROM asset_materializations ORDER BY 1',
    );
    return rows.map(({ id }) => id);
  };

  it('stay when they are the newest of their partition, or when something was made from them', async () => {
    const used = await make('raw');
    await make('raw');
    const weekly = await make('raw', { partitionKey: { week: 1 } });
    await make('sum', { upstreams: [{ type: 'materialization', materializationId: used }] });
    const newest = [await make('raw'), await make('sum')];
    await admin.query(`UPDATE asset_materializations SET materialized_at = now() - interval '3000 days'`);
    expect((await ledgerEligible(db, 'asset_materializations', 2_192)).eligible).toBe(2);
    expect((await purge('asset_materializations')).deleted).toBe(2);
    expect(await left()).toEqual([used, weekly, ...newest]);
    expect(await count('asset_lineage')).toBe(0);
    // What they were made from follows with the next sweep.
    expect((await purge('asset_materializations')).deleted).toBe(1);
    expect(await left()).toEqual([weekly, ...newest]);
  });

  it('are gone through once: what stays is not looked at by the next batch', async () => {
    const ids = [await make('x'), await make('y'), await make('x'), await make('z')];
    await admin.query(`UPDATE asset_materializations SET materialized_at = now() - interval '3000 days'`);
    expect(await purge('asset_materializations', { batch: 2 })).toEqual({ deleted: 1, last: ids[1] });
    expect(await purge('asset_materializations', { batch: 2, after: ids[1] ?? 0 })).toEqual({
      deleted: 0,
      last: ids[3],
    });
    expect(await purge('asset_materializations', { batch: 2, after: ids[3] ?? 0 })).toEqual({
      deleted: 0,
      last: null,
    });
  });
});

describe('work that is not finished', () => {
  it('stays, however old', async () => {
    await ADD.work_items(2, 400);
    await admin.query(`UPDATE work_items SET state = 'PENDING', completed_at = NULL`);
    expect(await purge('work_items')).toEqual({ deleted: 0, last: null });
  });
});

describe('the report', () => {
  it('judges every table by its policy, or by its minimum', async () => {
    await ADD.work_items(3, 50);
    const report = await retentionReport(db, parseRetentionPolicy('work_items=60'));
    expect(report.map(({ table }) => table)).toEqual([...PURGEABLE_TABLES]);
    expect(report.find(({ table }) => table === 'work_items')).toMatchObject({
      olderThanDays: 60,
      eligible: 0,
    });
    const other = await retentionReport(db, new Map());
    expect(other.find(({ table }) => table === 'work_items')).toMatchObject({
      olderThanDays: 30,
      eligible: 3,
    });
    expect(other.find(({ table }) => table === 'quality_results')).toMatchObject({
      eligible: 0,
      oldest: null,
    });
  });

  it('finds what it counts by an index', async () => {
    const watched = watchedDb(base.connectionString);
    try {
      for (const table of PURGEABLE_TABLES) {
        await ADD[table](2_000, daysOf(table) - 3);
        await ADD[table](20, daysOf(table) + 3);
        await admin.query(`ANALYZE ${table}`);
      }
      for (const table of PURGEABLE_TABLES) {
        const { seqScans, indexes } = await watched.planOf((on) => ledgerEligible(on, table, daysOf(table)));
        expect([table, seqScans, indexes.length > 0]).toEqual([table, [], true]);
      }
    } finally {
      await watched.close();
    }
  });
});

describe('the service', () => {
  it('deletes what the policy names, to the end, and counts it; the rest it leaves alone', async () => {
    await ADD.work_items(25, 40);
    await ADD.asset_observations(5, 300);
    const metrics = new Metrics('test');
    const service = createLedgerRetention({
      db,
      logger: silentLogger(),
      metrics,
      policy: parseRetentionPolicy('work_items=30'),
      batch: 10,
    });
    service.start();
    try {
      await waitFor(async () => (await count('work_items')) === 0);
    } finally {
      await service.stop();
    }
    expect(await count('asset_observations')).toBe(5);
    const { values } = await metrics.purged.get();
    expect(values.map(({ labels, value }) => [labels.table, value])).toEqual([['work_items', 25]]);
  });
});
