/** The asset endpoints. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assetKey, newId } from '@spine/core';
import type { AssetKey } from '@spine/core';
import { recordMaterialization } from '@spine/database';
import type { NewMaterialization } from '@spine/database';
import { anyNumber, anyText, listIn, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const WEEK = { week_ending: '2025-12-12' };
const KEY = assetKey('sec', 'filings', '10-K');
const RAW = assetKey('sec', 'filings', 'raw');
const pathOf = (key: string): string => `/api/v1/assets/${encodeURIComponent(key)}`;

const materialize = (key: AssetKey, more: Partial<NewMaterialization> = {}) =>
  recordMaterialization(api.engine.db, {
    assetKey: key,
    domain: 'sec',
    partitionKey: WEEK,
    runId: newId(),
    batchId: null,
    ...more,
  });

async function get(path: string): Promise<Json> {
  const answer = await api.call('GET', path);
  expect([answer.status, answer.text]).toEqual([200, answer.text]);
  return answer.body;
}

describe('an asset', () => {
  it('is told by its key, whose slashes are sent as %2F', async () => {
    const runId = newId();
    const { materializationId: read } = await materialize(RAW, { dataVersion: 'v1' });
    const { materializationId } = await materialize(KEY, {
      runId,
      rowCount: 42,
      upstreams: [{ type: 'latest', assetKey: RAW, partitionKey: WEEK }],
    });
    const latest = {
      materialization_id: materializationId,
      asset_key: KEY,
      domain: 'sec',
      partition_key: WEEK,
      run_id: runId,
      batch_id: null,
      code_version: null,
      data_version: `run:${runId}`,
      row_count: 42,
      metadata: {},
      materialized_at: anyText,
    };
    expect(pathOf(KEY)).toBe('/api/v1/assets/sec%2Ffilings%2F10-K');
    expect((await get(pathOf(KEY)))['data']).toEqual({
      asset_key: KEY,
      domain: 'sec',
      description: null,
      max_lag_seconds: null,
      metadata: {},
      freshness: { status: 'fresh', lag_seconds: anyNumber, overdue_seconds: null },
      latest_materialization: latest,
      created_at: anyText,
      updated_at: anyText,
    });
    const input = {
      asset_key: RAW,
      partition_key: WEEK,
      used_materialization_id: read,
      used_data_version: 'v1',
      latest_materialization_id: read,
      latest_data_version: 'v1',
    };
    const listed = async () => listIn((await get(`${pathOf(KEY)}/materializations`))['data']);
    expect(await listed()).toEqual([{ ...latest, inputs: [input], is_stale: false }]);
    await materialize(RAW, { dataVersion: 'v2' });
    expect(await listed()).toMatchObject([{ is_stale: true, inputs: [{ latest_data_version: 'v2' }] }]);
    const lineage = (await get(`${pathOf(KEY)}/lineage?direction=up&depth=3`))['data'];
    expect(lineage).toEqual({
      asset_key: KEY,
      upstream: [{ asset_key: RAW, depth: 1 }],
      downstream: [],
      edges: [{ asset_key: KEY, upstream_asset_key: RAW }],
      truncated: false,
    });
  });

  it('of the greatest length there is can be asked for, and paged by', async () => {
    const [first, second] = ['a', 'b'].map((last) => assetKey('x'.repeat(100), 'y'.repeat(97), last));
    if (first === undefined || second === undefined) throw new Error('no keys');
    expect(first).toHaveLength(200);
    for (const key of [first, second]) await materialize(key);
    expect((await get(pathOf(first)))['data']).toMatchObject({ asset_key: first });
    const list = `/api/v1/assets?prefix=${'x'.repeat(100)}&limit=1`;
    const page = await get(list);
    expect(listIn(page['data'])).toMatchObject([{ asset_key: first }]);
    const next = await get(`${list}&cursor=${String(page['page']?.['next_cursor'])}`);
    expect(listIn(next['data'])).toMatchObject([{ asset_key: second }]);
  });

  it('is defined by PUT, and found by its freshness', async () => {
    const path = pathOf('defined/by/put');
    const put = await api.call('PUT', path, {
      json: { domain: 'd', description: 'weekly', max_lag_seconds: 60 },
    });
    expect([put.status, put.body['data']]).toMatchObject([
      200,
      { description: 'weekly', freshness: { status: 'missing' } },
    ]);
    const found = await get('/api/v1/assets?freshness=missing,stale&domain=d');
    expect(listIn(found['data'])).toMatchObject([{ asset_key: 'defined/by/put', max_lag_seconds: 60 }]);
    const again = await api.call('PUT', path, { json: { domain: 'd' } });
    expect(again.body['data']).toMatchObject({ description: null, max_lag_seconds: null });
  });

  it('is observed, and the observations are listed from the newest on', async () => {
    await materialize(assetKey('seen'));
    const observe = (json: unknown) => api.call('POST', `${pathOf('seen')}/observations`, { json });
    const first = await observe({
      observed_by: 'audit',
      row_count: 42,
      metadata: { lag: 2.5 },
      partition_key: WEEK,
    });
    expect([first.status, first.body['data']]).toEqual([
      201,
      { observation_id: anyNumber, asset_key: 'seen', observed_at: anyText },
    ]);
    await observe({ observed_by: 'audit' });
    const page = await get(`${pathOf('seen')}/observations?limit=1`);
    expect(page['page']).toMatchObject({ total: 2, has_more: true });
    const cursor = String(page['page']?.['next_cursor']);
    const rest = await get(`${pathOf('seen')}/observations?limit=1&cursor=${cursor}`);
    expect(listIn(rest['data'])).toMatchObject([
      { observed_by: 'audit', row_count: 42, metadata: { lag: 2.5 }, partition_key: WEEK, run_id: null },
    ]);
  });

  it('has its materializations in pages, of one partition where that is asked for', async () => {
    const key = assetKey('paged');
    for (const week of ['a', 'b', 'a', 'b', 'a']) await materialize(key, { partitionKey: { week } });
    const ids: unknown[] = [];
    let cursor = '';
    do {
      const page = await get(`${pathOf(key)}/materializations?limit=2${cursor}`);
      ids.push(...listIn(page['data']).map((row) => row['materialization_id']));
      const next = page['page']?.['next_cursor'];
      cursor = typeof next === 'string' ? `&cursor=${String(next)}` : '';
    } while (cursor !== '');
    expect(ids).toHaveLength(5);
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => Number(b) - Number(a)));
    const partition = encodeURIComponent(JSON.stringify({ week: 'b' }));
    const ofOne = await get(`${pathOf(key)}/materializations?partition_key=${partition}`);
    expect(ofOne['page']).toMatchObject({ total: 2 });
  });

  it('pages by key through all there are', async () => {
    for (const name of ['a', 'b', 'c']) await materialize(assetKey('keyset', name));
    const first = await get('/api/v1/assets?prefix=keyset&limit=2');
    const cursor = String(first['page']?.['next_cursor']);
    const second = await get(`/api/v1/assets?prefix=keyset&limit=2&cursor=${cursor}`);
    expect([...listIn(first['data']), ...listIn(second['data'])].map((row) => row['asset_key'])).toEqual([
      'keyset/a',
      'keyset/b',
      'keyset/c',
    ]);
    expect(second['page']).toMatchObject({ has_more: false, next_cursor: null });
  });
});

describe('what is no asset', () => {
  it.each(['', '/materializations', '/observations', '/lineage'])('is 404 at %s', async (rest) => {
    for (const key of ['not/there', '../etc/passwd', 'a b', 'a//b', "'; DROP TABLE assets --"]) {
      const answer = await api.call('GET', `${pathOf(key)}${rest}`);
      expect([key, answer.status, answer.body['code']]).toEqual([key, 404, 'NOT_FOUND']);
    }
  });

  it('cannot be observed', async () => {
    const answer = await api.call('POST', `${pathOf('not/there')}/observations`, {
      json: { observed_by: 'me' },
    });
    expect(answer.status).toBe(404);
  });
});

describe('a request that is not right', () => {
  const observations = `${pathOf(KEY)}/observations`;
  const partition = (text: string): string =>
    `${pathOf(KEY)}/materializations?partition_key=${encodeURIComponent(text)}`;
  it.each<[field: string, method: string, path: string, json?: unknown]>([
    ['prefix', 'GET', '/api/v1/assets?prefix=a//b'],
    ['freshness[0]', 'GET', '/api/v1/assets?freshness=rotten'],
    ['cursor', 'GET', '/api/v1/assets?cursor=eHg'],
    ['depth', 'GET', `${pathOf(KEY)}/lineage?depth=33`],
    ['direction', 'GET', `${pathOf(KEY)}/lineage?direction=sideways`],
    ['partition_key', 'GET', partition('[]')],
    ['partition_key', 'GET', partition('{')],
    ['partition_key', 'GET', partition('{"__proto__":1}')],
    ['observed_by', 'POST', observations, {}],
    ['row_count', 'POST', observations, { observed_by: 'x', row_count: -1 }],
    ['run_id', 'POST', observations, { observed_by: 'x', run_id: '1' }],
    ['partition_key.a', 'POST', observations, { observed_by: 'x', partition_key: { a: [] } }],
    ['metadata', 'POST', observations, { observed_by: 'x', metadata: { a: 'x'.repeat(70_000) } }],
    ['max_lag_seconds', 'PUT', pathOf('new'), { domain: 'd', max_lag_seconds: 0 }],
    ['domain', 'PUT', pathOf('new'), { domain: '' }],
    ['extra', 'PUT', pathOf('new'), { domain: 'd', extra: 1 }],
  ])('is told of %s: %s %s', async (field, method, path, json) => {
    const answer = await api.call(method, path, json === undefined ? {} : { json });
    expect([answer.status, answer.text]).toEqual([400, answer.text]);
    expect(listIn(answer.body['errors']).map((error) => error['field'])).toContain(field);
    expect((await api.call('GET', pathOf('new'))).status).toBe(404);
  });
});
