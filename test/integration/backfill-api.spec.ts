/** Watermarks, gaps, backfills, work items, expected schedules and readiness over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import {
  addWorkItems,
  advanceManifest,
  advanceWatermark,
  claimWorkItems,
  failWorkItem,
} from '@spine/database';
import { pumpBackfill } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { anyText, listIn, startApi } from './api-support.ts';
import type { Answer, Api } from './api-support.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
  await api.call('PUT', '/api/v1/expected-schedules/otc/weekly', { json: WEEKLY });
});
afterAll(() => api.close());

const WEEKLY = {
  cadence: 'weekly',
  partition_template: { week_ending: '{week_ending}', tier: ['OTC', 'NMS'] },
  required_stages: ['INGESTED'],
  expected_delay_hours: 72,
};

const RUN = { kind: 'task', name: 'echo' };
const PLAN = { domain: 'otc', source: 'files', reason: 'GAP', run: RUN };

const get = (path: string): Promise<Answer> => api.call('GET', `/api/v1${path}`);
const post = (path: string, json: unknown = {}): Promise<Answer> =>
  api.call('POST', `/api/v1${path}`, { json });
const fieldsOf = (answer: Answer) => listIn(answer.body['errors']).map((error) => error['field']);

async function plan(body: object): Promise<string> {
  const answer = await post('/backfills', { ...PLAN, ...body });
  expect(answer.status).toBe(201);
  return String(answer.body['data']?.['backfill_id']);
}

const days = (count: number) => Array.from({ length: count }, (_, n) => ({ day: `day-${n}` }));

describe('backfills', () => {
  it('are planned, started, followed and done', async () => {
    const id = await plan({
      partition_keys: [...days(3), ...days(3)],
      note: 'week missing',
      max_attempts: 1,
    });
    expect((await get(`/backfills/${id}`)).body['data']).toMatchObject({
      status: 'PLANNED',
      total: 3,
      progress_pct: 0,
      note: 'week missing',
      run: { ...RUN, params: {}, lane: 'backfill', priority: 'low' },
      concurrency: 2,
      partitions: { pending: 3, running: 0, cancelling: 0, done: 0, failed: 0 },
      failed_keys: [],
    });
    expect(await post(`/backfills/${id}/start`)).toMatchObject({
      status: 200,
      body: { data: { status: 'RUNNING' } },
    });
    await api.startWorker();
    await waitFor(async () => {
      await pumpBackfill(api.engine, id);
      return String((await get(`/backfills/${id}`)).body['data']?.['status']) === 'COMPLETED';
    });
    const done = await get(`/backfills/${id}`);
    expect(done.body['data']).toMatchObject({ progress_pct: 100, completed: 3, partitions: { done: 3 } });
    const listed = await get(`/backfills/${id}/partitions?limit=2`);
    expect(listIn(listed.body['data'])).toMatchObject([
      { ordinal: 0, partition_key: { day: 'day-0' }, status: 'DONE', run_id: anyText },
      { ordinal: 1, partition_key: { day: 'day-1' }, status: 'DONE' },
    ]);
    const cursor = String(listed.body['page']?.['next_cursor']);
    const rest = await get(`/backfills/${id}/partitions?limit=2&cursor=${cursor}`);
    expect(listIn(rest.body['data'])).toMatchObject([{ ordinal: 2 }]);
    expect(rest.body['page']).toMatchObject({ total: 3, has_more: false, has_prev: true, next_cursor: null });
    const run = await get(`/runs?correlation_id=${id}`);
    expect(listIn(run.body['data'])).toHaveLength(3);
    expect(await post(`/backfills/${id}/cancel`)).toMatchObject({ status: 409, body: { code: 'CONFLICT' } });
  });

  it('are cancelled, resumed and changed, and deleted only while they are planned', async () => {
    const id = await plan({ partition_keys: days(4) });
    expect(await api.call('PATCH', `/api/v1/backfills/${id}`, { json: { concurrency: 7 } })).toMatchObject({
      status: 200,
      body: { data: { concurrency: 7, max_attempts: 2 } },
    });
    expect((await post(`/backfills/${id}/resume`)).body).toMatchObject({
      code: 'CONFLICT',
      detail: `backfill ${id} is PLANNED and cannot be resumed`,
    });
    await post(`/backfills/${id}/start`);
    expect(await post(`/backfills/${id}/cancel`)).toMatchObject({
      status: 200,
      body: { data: { status: 'CANCELLED' } },
    });
    expect(await post(`/backfills/${id}/resume`)).toMatchObject({
      status: 200,
      body: { data: { status: 'RUNNING' } },
    });
    expect(await api.call('DELETE', `/api/v1/backfills/${id}`)).toMatchObject({ status: 409 });
    await post(`/backfills/${id}/cancel`);
    const other = await plan({ partition_keys: days(1) });
    expect(await api.call('DELETE', `/api/v1/backfills/${other}`)).toMatchObject({ status: 200 });
    expect(await get(`/backfills/${other}`)).toMatchObject({ status: 404 });
    for (const path of [`/backfills/${newId()}`, '/backfills/x', `/backfills/${newId()}/partitions`]) {
      expect(await get(path)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
  });

  it('are listed newest first, filtered and by cursor', async () => {
    const first = await plan({ partition_keys: days(1), domain: 'listed' });
    const second = await plan({ partition_keys: days(1), domain: 'listed', reason: 'CORRECTION' });
    const page = await get('/backfills?domain=listed&limit=1');
    expect(listIn(page.body['data'])).toMatchObject([{ backfill_id: second }]);
    const next = await get(
      `/backfills?domain=listed&limit=1&cursor=${String(page.body['page']?.['next_cursor'])}`,
    );
    expect(listIn(next.body['data'])).toMatchObject([{ backfill_id: first }]);
    const gaps = await get('/backfills?domain=listed&reason=GAP&status=PLANNED');
    expect(listIn(gaps.body['data'])).toMatchObject([{ backfill_id: first }]);
  });

  it('take their partitions from what is expected, or from what is missing of it', async () => {
    await advanceWatermark(api.engine.db, {
      domain: 'otc',
      source: 'files',
      partitionKey: { week_ending: '2025-12-12', tier: 'OTC' },
      kind: 'date',
      highWater: '2025-12-15',
    });
    const range = { workflow: 'weekly', from: '2025-12-12', to: '2025-12-19' };
    const id = await plan({ range: { ...range, gaps_of_source: 'files' } });
    const { body } = await get(`/backfills/${id}/partitions`);
    expect(listIn(body['data']).map((each) => each['partition_key'])).toEqual([
      { tier: 'NMS', week_ending: '2025-12-12' },
      { tier: 'OTC', week_ending: '2025-12-19' },
      { tier: 'NMS', week_ending: '2025-12-19' },
    ]);
    const nothing = await post('/backfills', {
      ...PLAN,
      range: { ...range, to: '2025-12-12', workflow: 'weekly', from: '2025-12-13' },
    });
    expect([nothing.status, fieldsOf(nothing)]).toEqual([400, ['to']]);
  });

  it.each([
    [{}, 'partition_keys'],
    [{ partition_keys: [] }, 'partition_keys'],
    [{ partition_keys: [{ a: null }] }, 'partition_keys[0].a'],
    [{ partition_keys: [{ a: 'x\0' }] }, 'partition_keys[0].a'],
    [{ partition_keys: days(1), range: { from: '2025-12-12', to: '2025-12-12' } }, 'partition_keys'],
    [{ range: { from: '2025-12-32', to: '2025-12-12' } }, 'range.from'],
    [{ range: { from: '2025-12-12', to: '2025-12-12' } }, 'workflow'],
    [{ partition_keys: days(1), reason: 'BOREDOM' }, 'reason'],
    [{ partition_keys: days(1), concurrency: 0 }, 'concurrency'],
    [{ partition_keys: days(1), run: { ...RUN, kind: 'step' } }, 'run.kind'],
    [{ partition_keys: days(1), run: { ...RUN, name: 'nobody' } }, 'run.name'],
    [{ partition_keys: days(1), run: { ...RUN, params: { day: 1 } } }, 'run.params.day'],
    [{ partition_keys: days(1), run: { ...RUN, idempotency_key: 'mine' } }, 'run.idempotency_key'],
    [{ partition_keys: days(1), run: { kind: 'task', name: 'add' } }, 'run.params.a'],
  ])('are refused with %j, at %s', async (body, field) => {
    const answer = await post('/backfills', { ...PLAN, ...body });
    expect([answer.status, answer.body['code']]).toEqual([400, 'VALIDATION_FAILED']);
    expect(fieldsOf(answer)).toContain(field);
  });
});

describe('watermarks', () => {
  it('are listed, and their gaps found by a schedule or by a template', async () => {
    for (const symbol of ['A', 'B', 'C']) {
      await advanceWatermark(api.engine.db, {
        domain: 'equity',
        source: 'prices',
        partitionKey: { symbol },
        kind: 'date',
        highWater: '2026-02-15',
      });
    }
    const page = await get('/watermarks?domain=equity&source=prices&limit=2');
    expect(listIn(page.body['data'])).toMatchObject([
      { partition_key: { symbol: 'A' }, kind: 'date', high_water: '2026-02-15' },
      { partition_key: { symbol: 'B' } },
    ]);
    const cursor = String(page.body['page']?.['next_cursor']);
    const rest = await get(`/watermarks?domain=equity&limit=2&cursor=${cursor}`);
    expect(listIn(rest.body['data'])).toMatchObject([{ partition_key: { symbol: 'C' } }]);
    expect(await get(`/backfills?cursor=${cursor}`)).toMatchObject({ status: 400 });
    const gaps = await get(
      '/watermarks/gaps?domain=otc&workflow=weekly&stage=INGESTED&from=2025-12-19&to=2025-12-19',
    );
    expect(listIn(gaps.body['data'])).toEqual([
      {
        partition_key: { week_ending: '2025-12-19', tier: 'OTC' },
        period_end: '2025-12-19',
        expected_at: '2025-12-23T00:00:00.000Z',
        is_late: true,
      },
      expect.objectContaining({ partition_key: { week_ending: '2025-12-19', tier: 'NMS' } }),
    ]);
    const template = encodeURIComponent('{"day":"{date}"}');
    const daily = await get(
      `/watermarks/gaps?domain=x&cadence=weekdays&template=${template}&source=s&from=2025-12-26&to=2025-12-29&limit=1&offset=1`,
    );
    expect(listIn(daily.body['data'])).toMatchObject([{ partition_key: { day: '2025-12-29' } }]);
    expect(daily.body['page']).toMatchObject({ total: 2, has_more: false });
  });

  it.each([
    ['/watermarks?source=prices', 'source'],
    ['/watermarks/gaps?domain=otc&workflow=weekly&from=2025-12-19&to=2025-12-19', 'source'],
    ['/watermarks/gaps?domain=otc&source=f&from=2025-12-19&to=2025-12-19', 'workflow'],
    [
      '/watermarks/gaps?domain=otc&workflow=weekly&cadence=daily&source=f&from=2025-12-19&to=2025-12-19',
      'workflow',
    ],
    ['/watermarks/gaps?domain=otc&workflow=weekly&source=f&from=2025-12-19&to=2025-12-18', 'to'],
    ['/watermarks/gaps?domain=otc&workflow=weekly&source=f&from=now&to=2025-12-18', 'from'],
    ['/watermarks/gaps?domain=x&cadence=daily&template=x&source=f&from=2025-12-19&to=2025-12-19', 'template'],
    [
      '/watermarks/gaps?domain=x&cadence=daily&template={}&source=f&from=2025-12-19&to=2025-12-19',
      'partition_template',
    ],
    ['/work-items?state=DONE', 'state'],
    ['/work-items?partition_key=[]', 'partition_key'],
    ['/readiness?is_ready=perhaps', 'is_ready'],
    ['/readiness?cursor=eA', 'cursor'],
  ])('are refused with %s, at %s', async (path, field) => {
    const answer = await get(path);
    expect([answer.status, fieldsOf(answer)]).toEqual([400, [field]]);
  });

  it('have no gaps of a schedule that nobody has stored', async () => {
    const answer = await get(
      '/watermarks/gaps?domain=otc&workflow=no&source=f&from=2025-12-19&to=2025-12-19',
    );
    expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
  });
});

describe('expected schedules', () => {
  const path = '/api/v1/expected-schedules/otc/weekly';

  it('are put, got, listed and deleted', async () => {
    expect((await get('/expected-schedules/otc/weekly')).body['data']).toMatchObject({
      ...WEEKLY,
      domain: 'otc',
      workflow: 'weekly',
      active: true,
      preliminary_hours: 0,
      description: null,
    });
    await api.call('PUT', '/api/v1/expected-schedules/otc/other', { json: { ...WEEKLY, active: false } });
    const active = await get('/expected-schedules?domain=otc&active=true');
    expect(listIn(active.body['data']).map((each) => each['workflow'])).toEqual(['weekly']);
    expect(await api.call('DELETE', '/api/v1/expected-schedules/otc/other')).toMatchObject({ status: 200 });
    expect(await get('/expected-schedules/otc/other')).toMatchObject({ status: 404 });
    expect(await api.call('DELETE', '/api/v1/expected-schedules/otc/other')).toMatchObject({ status: 404 });
  });

  it.each([
    [{ partition_template: { week_ending: '{date}' } }, 'partition_template.week_ending'],
    [{ required_stages: ['A', 'A'] }, 'required_stages'],
    [{ cadence: 'hourly' }, 'cadence'],
    [{ expected_delay_hours: 1.5 }, 'expected_delay_hours'],
    [{ surprise: 1 }, 'surprise'],
  ])('are refused with %j, at %s, and stay as they were', async (change, field) => {
    const answer = await api.call('PUT', path, { json: { ...WEEKLY, ...change } });
    expect(answer.status).toBe(400);
    expect(fieldsOf(answer)).toContain(field);
    expect((await get('/expected-schedules/otc/weekly')).body['data']).toMatchObject(WEEKLY);
  });
});

describe('readiness', () => {
  const question = {
    domain: 'otc',
    workflow: 'weekly',
    partition_key: { week_ending: '2025-12-05' },
    ready_for: 'reporting',
  };

  it('is judged, with every reason, and kept', async () => {
    const first = await post('/readiness/certify', question);
    expect(first).toMatchObject({ status: 200, body: { data: { is_ready: false, certified_at: null } } });
    expect(listIn(first.body['data']?.['blocking_reasons']).map((reason) => reason['code'])).toEqual([
      'PARTITION_MISSING',
      'PARTITION_MISSING',
    ]);
    for (const tier of ['OTC', 'NMS']) {
      await advanceManifest(api.engine.db, {
        domain: 'otc',
        partitionKey: { ...question.partition_key, tier },
        stage: 'INGESTED',
        stageRank: 1,
        rowCount: 1,
        metrics: {},
        runId: newId(),
        batchId: null,
      });
    }
    expect((await post('/readiness/certify', question)).body['data']).toMatchObject({
      is_ready: true,
      blocking_reasons: [],
      certified_by: 'api',
      certified_at: anyText,
    });
    await post('/readiness/certify', { ...question, ready_for: 'trading' });
    const page = await get('/readiness?domain=otc&limit=1');
    expect(listIn(page.body['data'])).toMatchObject([
      { ready_for: 'reporting', partition_key: question.partition_key },
    ]);
    const next = await get(
      `/readiness?domain=otc&limit=1&cursor=${String(page.body['page']?.['next_cursor'])}`,
    );
    expect(listIn(next.body['data'])).toMatchObject([{ ready_for: 'trading' }]);
    const key = encodeURIComponent('{"week_ending":"2025-12-05"}');
    const found = await get(`/readiness?ready_for=trading&is_ready=true&partition_key=${key}`);
    expect(found.body['page']).toMatchObject({ total: 1 });
  });

  it('is refused for a key that names no period', async () => {
    const answer = await post('/readiness/certify', {
      ...question,
      partition_key: { week_ending: '2025-12-04' },
    });
    expect([answer.status, fieldsOf(answer)]).toEqual([400, ['partition_key.week_ending']]);
  });
});

describe('work items', () => {
  it('are listed and got', async () => {
    const { db } = api.engine;
    await addWorkItems(db, [
      { domain: 'otc', workflow: 'weekly', partitionKey: { week_ending: '2025-12-12' }, priority: 'high' },
      { domain: 'otc', workflow: 'weekly', partitionKey: { week_ending: '2025-12-19' } },
    ]);
    const [item] = await claimWorkItems(db, { domain: 'otc', workflow: 'weekly', lockedBy: 'me', limit: 1 });
    const id = item?.workItemId ?? '';
    await failWorkItem(db, { workItemId: id, attempt: 1 }, { message: 'no file' });
    const waiting = await get('/work-items?domain=otc&workflow=weekly&state=RETRY_WAIT');
    expect(listIn(waiting.body['data'])).toMatchObject([
      {
        work_item_id: id,
        partition_key: { week_ending: '2025-12-12' },
        priority: 'high',
        attempt_count: 1,
        last_error: 'no file',
        next_attempt_at: anyText,
        locked_by: null,
      },
    ]);
    expect((await get(`/work-items/${id}`)).body['data']).toMatchObject({ state: 'RETRY_WAIT' });
    expect(await get(`/work-items/${newId()}`)).toMatchObject({ status: 404 });
    const page = await get('/work-items?limit=1');
    const next = await get(`/work-items?limit=1&cursor=${String(page.body['page']?.['next_cursor'])}`);
    expect(listIn(next.body['data'])).toMatchObject([{ work_item_id: id }]);
  });
});
