/** The endpoints of manifest, quality results, anomalies and rejects. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId, qualityFail, qualityPass } from '@spine/core';
import { advanceManifest, recordAnomaly, writeQualityResults, writeRejects } from '@spine/database';
import { registerLedgerOperations } from '@spine/execution';
import { listIn, runWithStatus, startApi } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';
import { REJECTS_DOMAIN, rejectsOf, RULES } from './ledger-rejects-support.ts';

const STAGE = 'INGESTED';
const runId = newId();
const week = { week_ending: '2025-12-12', tier: 'OTC' };

let api: Api;
beforeAll(async () => {
  api = await startApi({
    register: (registry) =>
      registerLedgerOperations(registry, {
        replayers: [
          {
            domain: REJECTS_DOMAIN,
            stage: STAGE,
            ruleVersion: RULES,
            replay: (_trx, rejects) =>
              Promise.resolve(
                rejects.map(({ raw }) =>
                  raw.startsWith('good')
                    ? { outcome: 'repaired' }
                    : { outcome: 'still_rejected', reasonCode: 'STILL_BAD', reasonDetail: raw },
                ),
              ),
          },
        ],
      }),
  });
  await api.startWorker();
});
afterAll(() => api.close());

const get = (path: string): Promise<Answer> => api.call('GET', `/api/v1/${path}`);
const key = encodeURIComponent(JSON.stringify({ tier: 'OTC', week_ending: '2025-12-12' }));

/** Every item of a list, by its `next` links; a list that shows one twice does not end. */
async function everyPage(path: string): Promise<readonly Json[]> {
  const items: Json[] = [];
  let next: string | undefined = `/api/v1/${path}`;
  while (next !== undefined && items.length < 100) {
    const answer = await api.call('GET', next);
    expect(answer.status).toBe(200);
    items.push(...listIn(answer.body['data']));
    const link = listIn(answer.body['links']).find(({ rel }) => String(rel) === 'next');
    next = link === undefined ? undefined : String(link['href']);
  }
  return items;
}

describe('GET /manifest', () => {
  beforeAll(async () => {
    for (const [index, stage] of ['INGESTED', 'NORMALIZED', 'AGGREGATED'].entries()) {
      await advanceManifest(api.engine.db, {
        domain: 'd',
        partitionKey: week,
        stage,
        stageRank: index + 1,
        rowCount: 7,
        metrics: { inserted: 7 },
        runId,
        batchId: null,
      });
    }
  });

  it('shows the stages of partitions, page by page', async () => {
    const rows = await everyPage('manifest?domain=d&limit=2');
    expect(rows.map(({ stage }) => stage)).toEqual(['AGGREGATED', 'INGESTED', 'NORMALIZED']);
    const answer = await get(`manifest?domain=d&stage=INGESTED&partition_key=${key}`);
    expect(answer.body['data']).toMatchObject([
      { domain: 'd', partition_key: week, stage: 'INGESTED', stage_rank: 1, row_count: 7, run_id: runId },
    ]);
  });
});

describe('GET /quality', () => {
  beforeAll(() => {
    const scope = { domain: 'd', partitionKey: week, stage: STAGE, runId, batchId: null };
    const of = (checkName: string, result: ReturnType<typeof qualityPass>) => ({
      checkName,
      category: 'INTEGRITY' as const,
      ...result,
    });
    return writeQualityResults(api.engine.db, scope, [
      of('rows', qualityPass('7 rows', '7', '>= 1')),
      of('sum', qualityFail('0.9 is not 1', '0.9', '1')),
      of('nulls', qualityPass('none')),
    ]);
  });

  it('shows results newest first, by what they are of', async () => {
    expect((await everyPage('quality?limit=2')).map((item) => item['check_name'])).toEqual([
      'nulls',
      'sum',
      'rows',
    ]);
    for (const [query, names] of [
      ['domain=d&status=FAIL', ['sum']],
      [`domain=d&partition_key=${key}&check_name=rows`, ['rows']],
      [`run_id=${runId}&since=2020-01-01T00:00:00Z`, ['nulls', 'sum', 'rows']],
      ['domain=d&until=2020-01-01T00:00:00Z', []],
      ['domain=other', []],
    ] as const) {
      const answer = await get(`quality?${query}`);
      expect([query, listIn(answer.body['data']).map((item) => item['check_name'])]).toEqual([query, names]);
    }
    const failed = await get('quality?status=FAIL');
    expect(failed.body['data']).toMatchObject([
      { partition_key: week, stage: STAGE, category: 'INTEGRITY', actual_value: '0.9', expected_value: '1' },
    ]);
  });
});

describe('anomalies', () => {
  const add = (message: string) =>
    recordAnomaly(api.engine.db, {
      domain: 'd',
      severity: 'CRITICAL',
      category: 'SOURCE_ERROR',
      message,
      runId,
    });

  it('are listed, read and resolved once', async () => {
    const [{ anomalyId }] = [await add('gone'), await add('late')];
    expect((await everyPage('anomalies?domain=d&limit=1')).map(({ message }) => message)).toEqual([
      'late',
      'gone',
    ]);
    const path = `/api/v1/anomalies/${anomalyId}`;
    const resolved = await api.call('POST', `${path}/resolve`, {
      json: { note: 'came back', resolved_by: 'ann' },
    });
    expect(resolved.status).toBe(200);
    expect(resolved.body['data']).toMatchObject({
      anomaly_id: anomalyId,
      message: 'gone',
      route: { action: 'page', owner: 'data source owners', needs_resolution: true },
      resolved_by: 'ann',
      resolution_note: 'came back',
    });
    expect((await api.call('GET', path)).body['data']).toEqual(resolved.body['data']);
    const again = await api.call('POST', `${path}/resolve`);
    expect(again.status).toBe(409);
    expect(again.body['detail']).toMatch(new RegExp(`^anomaly ${anomalyId} was resolved by ann at 2`));
    const open = await get('anomalies?domain=d&resolved=false&severity=CRITICAL&category=SOURCE_ERROR');
    expect(listIn(open.body['data']).map(({ message }) => message)).toEqual(['late']);
    expect(listIn((await get('anomalies?resolved=true')).body['data'])).toHaveLength(1);
  });

  it.each([
    ['GET', ''],
    ['POST', '/resolve'],
  ])('that are not there are not found: %s', async (method, tail) => {
    for (const id of [newId(), 'nonsense', '1']) {
      expect((await api.call(method, `/api/v1/anomalies/${id}${tail}`)).status).toBe(404);
    }
  });

  it('are resolved with storable text by somebody', async () => {
    const { anomalyId } = await add('odd');
    for (const json of [{ note: 'a\0b' }, { resolved_by: '' }, { who: 'ann' }, []]) {
      const answer = await api.call('POST', `/api/v1/anomalies/${anomalyId}/resolve`, { json });
      expect(answer.status).toBe(400);
    }
    expect((await get(`anomalies/${anomalyId}`)).body['data']).toMatchObject({ resolved_at: null });
  });
});

describe('rejects', () => {
  const replay = (json: unknown): Promise<Answer> => api.call('POST', '/api/v1/rejects/replay', { json });

  it('are listed, counted, judged again, and read with what came of it', async () => {
    await writeRejects(
      api.engine.db,
      rejectsOf(STAGE, ['good 1', 'bad 2', 'good 3'], { partitionKey: week }),
    );
    await writeRejects(api.engine.db, rejectsOf(STAGE, ['bad 4'], { reasonCode: 'ODD_ROW' }));
    const listed = await everyPage(`rejects?domain=${REJECTS_DOMAIN}&limit=3`);
    expect(listed.map(({ raw }) => raw)).toEqual(['bad 4', 'good 3', 'bad 2', 'good 1']);
    const selection = { domain: REJECTS_DOMAIN, reason_code: 'BAD_ROW', partition_key: week };

    const dry = await replay({ ...selection, dry_run: true });
    expect(dry.status).toBe(200);
    const found = {
      matched: 3,
      matched_is_capped: false,
      by_reason: [{ stage: STAGE, reason_code: 'BAD_ROW', count: 3 }],
    };
    expect(dry.body['data']).toEqual({ dry_run: true, ...found, run_id: null });
    expect((await api.rowCounts()).runs).toBe(0);

    const submitted = await replay(selection);
    expect(submitted.status).toBe(202);
    const run = String(submitted.body['data']?.['run_id']);
    expect(submitted.body['data']).toEqual({ dry_run: false, ...found, run_id: run });
    expect(submitted.headers.get('location')).toBe(`/api/v1/runs/${run}`);
    expect(await runWithStatus(api, run, 'completed')).toMatchObject({
      result: { replayed: 3, repaired: 2, still_rejected: 1, rule_versions: { [STAGE]: RULES } },
    });

    const open = await get(`rejects?domain=${REJECTS_DOMAIN}&open=true&partition_key=${key}`);
    const [still] = listIn(open.body['data']);
    expect(open.body['data']).toMatchObject([{ raw: 'bad 2', rule_version: 'rules-1', closed_at: null }]);
    const detail = await get(`rejects/${String(still?.['reject_id'])}`);
    expect(detail.body['data']).toMatchObject({
      ...still,
      repairs: [{ run_id: run, outcome: 'still_rejected', rule_version: RULES, reason_code: 'STILL_BAD' }],
    });
    expect((await get(`rejects/summary?domain=${REJECTS_DOMAIN}`)).body['data']).toEqual({
      domain: REJECTS_DOMAIN,
      reasons: [
        { reason_code: 'BAD_ROW', total: 3, total_is_capped: false, open: 1, open_is_capped: false },
        { reason_code: 'ODD_ROW', total: 1, total_is_capped: false, open: 1, open_is_capped: false },
      ],
    });
  });

  it.each(['0', '1e3', '999999999999999', 'x', newId()])(
    'that are not there are not found: %s',
    async (id) => {
      expect((await get(`rejects/${id}`)).status).toBe(404);
    },
  );

  it.each([
    [{}, 'domain'],
    [{ domain: 'd', reject_ids: [1] }, 'reject_ids[0]'],
    [{ domain: 'd', reject_ids: [] }, 'reject_ids'],
    [{ domain: 'd', partition_key: [] }, 'partition_key'],
    [{ domain: 'd', lane: 'No Lane' }, 'lane'],
    [{ domain: 'd', filter: {} }, 'filter'],
    [{ domain: 'a\0' }, 'domain'],
  ])('are not judged again by %j', async (json, field) => {
    const { runs } = await api.rowCounts();
    const answer = await replay(json);
    expect(answer.status).toBe(400);
    expect(listIn(answer.body['errors']).map((error) => error['field'])).toEqual([field]);
    expect((await api.rowCounts()).runs).toBe(runs);
  });
});

describe('a query', () => {
  it.each([
    ['quality?check_name=rows', 'check_name', 'needs domain: it is looked up within one'],
    [`quality?partition_key=${key}`, 'partition_key', 'needs domain'],
    ['quality?domain=d&status=pass', 'status', ''],
    ['quality?domain=d&partition_key=nonsense', 'partition_key', 'must be a JSON object'],
    ['quality?domain=d&since=yesterday', 'since', 'must be an instant'],
    ['quality?cursor=abc', 'cursor', 'is not a next_cursor of this list'],
    ['anomalies?stage=S', 'stage', 'needs domain'],
    ['anomalies?severity=FATAL', 'severity', ''],
    ['manifest?stage=S', 'stage', 'needs domain'],
    ['manifest?cursor=abc', 'cursor', 'is not a next_cursor of this list'],
    ['rejects?reason_code=BAD_ROW', 'reason_code', 'needs domain'],
    ['rejects?open=true', 'open', 'needs domain or run_id'],
    ['rejects?domain=d&reason_code=bad', 'reason_code', ''],
    ['rejects/summary', 'domain', 'is required'],
    ['rejects?limit=0', 'limit', ''],
  ])('that cannot be answered is refused, and says why: %s', async (path, field, message) => {
    const answer = await get(path);
    expect(answer.status).toBe(400);
    expect(listIn(answer.body['errors'])).toEqual([
      expect.objectContaining({ field, message: expect.stringContaining(message) as unknown }),
    ]);
  });
});
