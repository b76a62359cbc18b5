/** Assets in Postgres: what was made of what, how fresh it is, and what has become stale since. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assetKey, FRESHNESS, newId } from '@spine/core';
import type { AssetKey } from '@spine/core';
import {
  assetLineage,
  defineAsset,
  getAsset,
  inputsOf,
  latestMaterialization,
  listAssets,
  listMaterializations,
  listObservations,
  madeFrom,
  recordMaterialization,
  recordObservation,
  stalenessOfMaterialization,
} from '@spine/database';
import type { Db, DbTransaction, NewMaterialization, Pool } from '@spine/database';
import { openEngineDatabase } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';
import { watchedDb } from './plan-support.ts';
import type { WatchedDb } from './plan-support.ts';

let base: EngineDatabase;
let admin: Pool;
let db: Db;
let watched: WatchedDb;
beforeAll(async () => {
  base = await openEngineDatabase();
  ({ admin, db } = base);
  watched = watchedDb(base.connectionString);
});
afterAll(async () => {
  await watched.close();
  await base.close();
});

const WEEK = { week_ending: '2025-12-12' };

async function materialize(
  key: AssetKey,
  more: Partial<NewMaterialization> = {},
  on: Db | DbTransaction = db,
): Promise<number> {
  const { materializationId } = await recordMaterialization(on, {
    assetKey: key,
    domain: 'test',
    partitionKey: WEEK,
    runId: newId(),
    batchId: null,
    ...more,
  });
  return materializationId;
}

const latestOf = (key: AssetKey) => ({ type: 'latest', assetKey: key, partitionKey: WEEK }) as const;
const rows = async (table: string): Promise<number> => {
  const counted = await admin.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
  return counted.rows[0]?.count ?? -1;
};

describe('a materialization', () => {
  it('is recorded with what it was made from, in the versions that were read', async () => {
    const [raw, summary] = [assetKey('rec', 'raw'), assetKey('rec', 'summary')];
    const read = await materialize(raw, { dataVersion: 'sha-1', rowCount: 3 });
    const runId = newId();
    const made = await materialize(summary, {
      runId,
      batchId: 'b1',
      codeVersion: 'v2',
      rowCount: 1,
      metadata: { tier: 'OTC' },
      upstreams: [
        latestOf(raw),
        { type: 'source', assetKey: assetKey('rec', 'file'), partitionKey: {}, dataVersion: 'f00' },
      ],
    });
    expect(await latestMaterialization(db, summary, WEEK)).toMatchObject({
      materializationId: made,
      partitionKey: '{"week_ending":"2025-12-12"}',
      runId,
      batchId: 'b1',
      codeVersion: 'v2',
      dataVersion: `run:${runId}`,
      rowCount: 1,
      metadata: { tier: 'OTC' },
    });
    expect((await inputsOf(db, [made])).get(made)).toEqual([
      {
        assetKey: 'rec/file',
        partitionKey: '{}',
        usedMaterializationId: null,
        usedDataVersion: 'f00',
        latestMaterializationId: null,
        latestDataVersion: null,
      },
      {
        assetKey: 'rec/raw',
        partitionKey: '{"week_ending":"2025-12-12"}',
        usedMaterializationId: read,
        usedDataVersion: 'sha-1',
        latestMaterializationId: read,
        latestDataVersion: 'sha-1',
      },
    ]);
    expect(await madeFrom(db, read, 10)).toEqual([made]);
  });

  it('that a run records twice is one; other data of the same run is another', async () => {
    const key = assetKey('twice');
    const same = { assetKey: key, domain: 'test', partitionKey: WEEK, runId: newId(), batchId: null };
    const outcomes = await Promise.all([recordMaterialization(db, same), recordMaterialization(db, same)]);
    expect(outcomes.map(({ type }) => type).sort()).toEqual(['known', 'recorded']);
    expect(outcomes[0]?.materializationId).toBe(outcomes[1]?.materializationId);
    expect((await recordMaterialization(db, { ...same, dataVersion: 'other' })).type).toBe('recorded');
    const listed = await listMaterializations(db, key, null, { limit: 9 });
    expect(listed.total).toBe(2);
  });

  it.each([
    [
      'an input nobody has made',
      { upstreams: [latestOf(assetKey('nobody'))] },
      'upstreams[0]',
      'unknown_upstream',
    ],
    [
      'a materialization that is not there',
      { upstreams: [{ type: 'materialization', materializationId: 1e9 }] },
      'upstreams[0]',
      'unknown_upstream',
    ],
    [
      'one source in two versions',
      {
        upstreams: ['v1', 'v2'].map((dataVersion) => ({
          type: 'source' as const,
          assetKey: assetKey('src'),
          partitionKey: {},
          dataVersion,
        })),
      },
      'upstreams[1]',
      'conflict',
    ],
    ['a row count below zero', { rowCount: -1 }, 'row_count', 'invalid_count'],
    ['half a row', { rowCount: 0.5 }, 'row_count', 'invalid_count'],
  ] as const)('of %s is refused, and nothing is written', async (_, more, field, code) => {
    const before = await rows('assets');
    await expect(materialize(assetKey('refused'), more)).rejects.toMatchObject({ issues: [{ field, code }] });
    expect(await rows('assets')).toBe(before);
  });

  it('is gone with the transaction it was recorded in', async () => {
    const key = assetKey('rolled', 'back');
    const failing = db.transaction().execute(async (trx) => {
      await materialize(key, {}, trx);
      throw new Error('the step failed');
    });
    await expect(failing).rejects.toThrow('the step failed');
    expect(await getAsset(db, key)).toBeNull();
  });
});

describe('staleness', () => {
  it('comes with other data of an input, in its own partition, and goes with the next materialization', async () => {
    const [raw, summary] = [assetKey('st', 'raw'), assetKey('st', 'summary')];
    const used = await materialize(raw, { dataVersion: 'v1' });
    const made = await materialize(summary, { upstreams: [latestOf(raw)] });
    const staleness = () => stalenessOfMaterialization(db, made);
    expect(await staleness()).toEqual({ status: 'current' });
    await materialize(raw, { dataVersion: 'v1' });
    await materialize(raw, { dataVersion: 'v2', partitionKey: { week_ending: '2025-12-19' } });
    expect(await staleness()).toEqual({ status: 'current' });
    const newer = await materialize(raw, { dataVersion: 'v2' });
    expect(await staleness()).toMatchObject({
      status: 'stale',
      changed: [
        { assetKey: raw, usedMaterializationId: used, usedDataVersion: 'v1', latestMaterializationId: newer },
      ],
    });
    const again = await materialize(summary, {
      upstreams: [{ type: 'materialization', materializationId: newer }],
    });
    expect(await stalenessOfMaterialization(db, again)).toEqual({ status: 'current' });
  });
});

describe('freshness', () => {
  it('is judged by the newest materialization of any partition, and filters as it is judged', async () => {
    const at = (name: string): AssetKey => assetKey('fr', name);
    const define = (name: string, maxLagSeconds: number | null) =>
      defineAsset(db, { assetKey: at(name), domain: 'test', description: null, maxLagSeconds });
    await define('never', 60);
    await define('old', 60);
    await define('new', 7_200);
    await define('unpromised', null);
    for (const name of ['old', 'new', 'unpromised']) await materialize(at(name));
    await admin.query(
      `UPDATE asset_materializations SET materialized_at = now() - interval '1 hour' WHERE asset_key LIKE 'fr/%'`,
    );
    await materialize(at('old'), { partitionKey: { week_ending: 'other' } });
    expect((await getAsset(db, at('old')))?.freshness).toMatchObject({ status: 'fresh' });
    await define('old', 1);
    await admin.query(
      `UPDATE asset_materializations SET materialized_at = now() - interval '1 minute' WHERE asset_key = 'fr/old'`,
    );
    const all = await listAssets(db, { prefix: assetKey('fr') }, { limit: 10 });
    const verdicts = Object.fromEntries(
      all.items.map(({ assetKey: key, freshness }) => [key, freshness.status]),
    );
    expect(verdicts).toEqual({
      'fr/never': 'missing',
      'fr/new': 'fresh',
      'fr/old': 'stale',
      'fr/unpromised': 'fresh',
    });
    for (const status of FRESHNESS) {
      const found = await listAssets(db, { prefix: assetKey('fr'), freshness: [status] }, { limit: 10 });
      expect(found.items.map(({ assetKey: key }) => key)).toEqual(
        Object.keys(verdicts).filter((key) => verdicts[key] === status),
      );
      expect(found.total).toBe(found.items.length);
    }
  });

  it('of a definition that is said again is the newest promise', async () => {
    const key = assetKey('defined');
    const definition = { assetKey: key, domain: 'test', description: 'first', maxLagSeconds: 60 };
    await defineAsset(db, definition);
    await defineAsset(db, { ...definition, description: 'second', maxLagSeconds: null });
    expect(await getAsset(db, key)).toMatchObject({
      description: 'second',
      maxLagSeconds: null,
      latest: null,
    });
    await materialize(key);
    expect(await getAsset(db, key)).toMatchObject({ description: 'second', freshness: { status: 'fresh' } });
    await expect(defineAsset(db, { ...definition, maxLagSeconds: 0 })).rejects.toMatchObject({
      issues: [{ field: 'max_lag_seconds' }],
    });
  });
});

describe('a list of assets', () => {
  it('goes by prefixes of parts, and on from the last key seen', async () => {
    for (const key of ['px/a', 'px/a/b', 'px/a-c', 'px/ab', 'px/b'])
      await materialize(assetKey(...key.split('/')));
    const keys = async (prefix: AssetKey, after?: string, limit = 10) => {
      const page = await listAssets(db, { prefix }, { limit, ...(after === undefined ? {} : { after }) });
      return [page.items.map(({ assetKey: key }) => key), page.hasMore];
    };
    expect(await keys(assetKey('px', 'a'))).toEqual([['px/a', 'px/a/b'], false]);
    expect(await keys(assetKey('px'), undefined, 2)).toEqual([['px/a', 'px/a-c'], true]);
    expect(await keys(assetKey('px'), 'px/a-c', 3)).toEqual([['px/a/b', 'px/ab', 'px/b'], false]);
  });
});

describe('lineage', () => {
  it('is walked up and down, by the shortest way, through diamonds and cycles, and no further than asked', async () => {
    const at = (name: string): AssetKey => assetKey('ln', name);
    const make = (name: string, ...from: string[]) =>
      materialize(at(name), { upstreams: from.map((each) => latestOf(at(each))) });
    await make('raw');
    await make('left', 'raw');
    await make('right', 'raw', 'left');
    await make('top', 'left', 'right');
    await make('report', 'top');
    // Made from its own last version, and raw from the report: cycles of assets, none of materializations.
    await make('top', 'top', 'left');
    await make('raw', 'report');
    const up = await assetLineage(db, at('top'), 'up', 32);
    expect(up).toMatchObject({ downstream: [], truncated: false });
    expect(up.upstream).toEqual([
      { assetKey: 'ln/left', depth: 1 },
      { assetKey: 'ln/right', depth: 1 },
      { assetKey: 'ln/raw', depth: 2 },
      { assetKey: 'ln/report', depth: 3 },
    ]);
    const near = await assetLineage(db, at('left'), 'both', 1);
    expect(near.upstream).toEqual([{ assetKey: 'ln/raw', depth: 1 }]);
    expect(near.downstream).toEqual([
      { assetKey: 'ln/right', depth: 1 },
      { assetKey: 'ln/top', depth: 1 },
    ]);
    expect(near.edges).toEqual([
      { assetKey: 'ln/left', upstreamAssetKey: 'ln/raw' },
      { assetKey: 'ln/right', upstreamAssetKey: 'ln/left' },
      { assetKey: 'ln/right', upstreamAssetKey: 'ln/raw' },
      { assetKey: 'ln/top', upstreamAssetKey: 'ln/left' },
      { assetKey: 'ln/top', upstreamAssetKey: 'ln/right' },
      { assetKey: 'ln/top', upstreamAssetKey: 'ln/top' },
    ]);
  });

  it('of materializations cannot come back to its beginning', async () => {
    const first = await materialize(assetKey('cycle'));
    await expect(
      admin.query(
        `INSERT INTO asset_lineage (materialization_id, upstream_asset_key, upstream_partition_key, upstream_data_version, upstream_id)
         VALUES ($1, 'cycle', '{}', 'v', $1)`,
        [first],
      ),
    ).rejects.toMatchObject({ constraint: 'asset_lineage_order' });
  });
});

describe('an observation', () => {
  it('is appended to an asset that is known, and to no other', async () => {
    const key = assetKey('seen');
    await materialize(key);
    const observed = { assetKey: key, runId: null, observedBy: 'audit', rowCount: 42, metadata: { lag: 2 } };
    const first = await recordObservation(db, observed);
    await recordObservation(db, { ...observed, partitionKey: WEEK, runId: newId() });
    const page = await listObservations(db, key, { limit: 1 });
    expect(page).toMatchObject({
      total: 2,
      hasMore: true,
      items: [{ partitionKey: '{"week_ending":"2025-12-12"}' }],
    });
    const before = String(page.items[0]?.observationId);
    expect((await listObservations(db, key, { limit: 1, before })).items).toMatchObject([
      {
        observationId: first?.observationId,
        runId: null,
        observedBy: 'audit',
        rowCount: 42,
        metadata: { lag: 2 },
        domain: 'test',
      },
    ]);
    expect(await recordObservation(db, { ...observed, assetKey: assetKey('unseen') })).toBeNull();
    await expect(recordObservation(db, { ...observed, rowCount: -1 })).rejects.toMatchObject({
      issues: [{ field: 'row_count' }],
    });
  });
});

describe('the services', () => {
  it.each([
    'DELETE FROM assets',
    'UPDATE asset_materializations SET row_count = 0',
    'DELETE FROM asset_materializations',
    'DELETE FROM asset_lineage',
    'UPDATE asset_lineage SET upstream_id = NULL',
    'UPDATE asset_observations SET metadata = metadata',
    'DELETE FROM asset_observations',
    'DELETE FROM asset_dependencies',
  ])('may not %s', async (statement) => {
    await expect(base.pool.query(statement)).rejects.toMatchObject({ code: '42501' });
  });
});

describe('among many', () => {
  const some = assetKey('many', 'a7');
  beforeAll(async () => {
    await admin.query(
      `INSERT INTO assets (asset_key, domain) SELECT 'many/a' || n, 'many' FROM generate_series(1, 2000) n`,
    );
    await admin.query(`INSERT INTO asset_materializations (asset_key, domain, partition_key, run_id, data_version)
      SELECT 'many/a' || (n % 2000 + 1), 'many', '{"n":' || n || '}', gen_random_uuid(), 'v' FROM generate_series(1, 20000) n`);
    await admin.query(`INSERT INTO asset_lineage (materialization_id, upstream_asset_key, upstream_partition_key, upstream_data_version, upstream_id)
      SELECT materialization_id, 'many/a1', '{}', 'v', materialization_id - 1 FROM asset_materializations
      WHERE domain = 'many' AND materialization_id > (SELECT min(materialization_id) FROM asset_materializations WHERE domain = 'many')`);
    await admin.query(`INSERT INTO asset_dependencies (asset_key, upstream_asset_key)
      SELECT 'many/a' || n, 'many/a' || (n / 2) FROM generate_series(2, 2000) n`);
    await admin.query(`INSERT INTO asset_observations (asset_key, domain, partition_key, observed_by)
      SELECT 'many/a' || (n % 2000 + 1), 'many', '{}', 'o' FROM generate_series(1, 10000) n`);
    await admin.query(
      'ANALYZE assets, asset_materializations, asset_lineage, asset_dependencies, asset_observations',
    );
  });

  it.each([
    ['an asset', 'assets_pkey', (on: Db) => getAsset(on, some)],
    ['its newest materialization', 'asset_materializations_asset', (on: Db) => getAsset(on, some)],
    [
      'a page of assets below another',
      'assets_pkey',
      (on: Db) => listAssets(on, { prefix: some }, { limit: 50 }),
    ],
    [
      'a partition',
      'asset_materializations_partition',
      (on: Db) => latestMaterialization(on, some, { n: 6 }),
    ],
    [
      'materializations',
      'asset_materializations_asset',
      (on: Db) => listMaterializations(on, some, null, { limit: 50 }),
    ],
    ['observations', 'asset_observations_asset', (on: Db) => listObservations(on, some, { limit: 50 })],
    ['inputs', 'asset_lineage_pkey', (on: Db) => inputsOf(on, [5_000])],
    ['what was made of one', 'asset_lineage_downstream', (on: Db) => madeFrom(on, 5_000, 50)],
    ['lineage up', 'asset_dependencies_pkey', (on: Db) => assetLineage(on, some, 'up', 5)],
    ['lineage down', 'asset_dependencies_downstream', (on: Db) => assetLineage(on, some, 'down', 5)],
  ] as const)('%s is found by %s', async (_, index, ask) => {
    const { seqScans, indexes } = await watched.planOf(ask);
    expect(seqScans).toEqual([]);
    expect(indexes).toContain(index);
  });
});
