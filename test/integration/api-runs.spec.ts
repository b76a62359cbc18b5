import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listIn, runWithStatus, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const submit = (spec: object, query = '') => api.call('POST', `/api/v1/runs${query}`, { json: spec });
const idOf = (body: Json): string => String(body['data']?.['run_id']);

/** Submits and answers with the run's id. */
async function submitted(spec: object): Promise<string> {
  const { status, body, text } = await submit(spec);
  expect(status, text).toBe(202);
  return idOf(body);
}

describe('POST /runs', () => {
  it('stores the run and answers 202 with where it is', async () => {
    const { status, body, headers } = await submit({ kind: 'task', name: 'echo', params: { a: 1 } });
    expect(status).toBe(202);
    expect(body).toMatchObject({
      data: { status: 'queued', kind: 'task', name: 'echo', lane: 'default' },
      warnings: [],
      links: [{ rel: 'self', href: `/api/v1/runs/${idOf(body)}` }],
    });
    expect(headers.get('location')).toBe(`/api/v1/runs/${idOf(body)}`);

    const stored = await api.call('GET', `/api/v1/runs/${idOf(body)}`);
    expect(stored.body['data']).toMatchObject({
      run_id: idOf(body),
      created_at: body['data']?.['created_at'],
      params: { a: 1 },
      priority: 'normal',
      attempt: 0,
      max_attempts: 4,
      retry_delay_seconds: 5,
      timeout_seconds: 3600,
      trigger_source: 'api',
      result: null,
      error: null,
      lease: null,
      duration_ms: null,
    });
  });

  it('keeps every option', async () => {
    const spec = {
      kind: 'operation',
      name: 'etl_stub',
      params: { records: 3 },
      correlation_id: 'c-options',
      priority: 'high',
      lane: 'backfill',
      parent_run_id: '01890000-0000-7000-8000-000000000001',
      trigger_source: 'cli',
      metadata: { team: 'data' },
      tags: ['a', 'b'],
      max_retries: 1,
      retry_delay_seconds: 0.5,
      timeout_seconds: 12.5,
      run_after: '2100-01-01T00:00:00Z',
    };
    const { body } = await api.call('GET', `/api/v1/runs/${await submitted(spec)}`);
    const { max_retries: retries, run_after: after, ...same } = spec;
    expect(body['data']).toMatchObject({
      ...same,
      status: 'pending',
      max_attempts: retries + 1,
      available_at: new Date(after).toISOString(),
    });
  });

  it('answers a known idempotency key with its run, and another spec under it with 409', async () => {
    const spec = { kind: 'task', name: 'add', params: { a: 1, b: 2 }, idempotency_key: 'key-1' };
    const first = await submit(spec);
    const again = await submit(spec);
    expect([first.status, again.status]).toEqual([202, 200]);
    expect(again.body['data']).toEqual(first.body['data']);

    const before = await api.rowCounts();
    const other = await submit({ ...spec, params: { a: 1, b: 3 } });
    expect(other.status).toBe(409);
    expect(other.body).toMatchObject({ code: 'CONFLICT', errors: [{ field: 'idempotency_key' }] });
    expect(other.body['detail']).toContain(idOf(first.body));
    expect(await api.rowCounts()).toEqual(before);
  });

  it('makes one run of many submissions with one key at once', async () => {
    const spec = { kind: 'task', name: 'echo', idempotency_key: 'key-many' };
    const answers = await Promise.all(Array.from({ length: 20 }, () => submit(spec)));
    expect(new Set(answers.map(({ body }) => idOf(body))).size).toBe(1);
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(19);
  });

  it('refuses a handler nobody knows, and accepts it with a warning when asked to', async () => {
    const spec = { kind: 'task', name: 'nobody.knows.this' };
    const before = await api.rowCounts();
    const refused = await submit(spec);
    expect(refused.status).toBe(400);
    expect(refused.body).toMatchObject({
      code: 'VALIDATION_FAILED',
      errors: [{ field: 'name', code: 'unknown_handler' }],
    });
    expect(refused.body['detail']).toContain('/api/v1/functions');
    expect(await api.rowCounts()).toEqual(before);

    const accepted = await submit(spec, '?allow_unknown=true');
    expect(accepted.status).toBe(202);
    expect(accepted.body['warnings']).toEqual([expect.stringContaining('task:nobody.knows.this')]);
    expect((await submit(spec, '?allow_unknown=false')).status).toBe(400);
  });

  it('checks the params with the schema of a handler it knows', async () => {
    const { status, body } = await submit({ kind: 'task', name: 'add', params: { a: 'one', c: 3 } });
    expect(status).toBe(400);
    const fields = listIn(body['errors']).map((error) => error['field']);
    expect(fields).toEqual(expect.arrayContaining(['params.a', 'params.b', 'params.c']));
  });

  it('takes a run through a worker to its result', async () => {
    await api.startWorker();
    const runId = await submitted({ kind: 'task', name: 'add', params: { a: 20, b: 22 } });
    const run = await runWithStatus(api, runId, 'completed');
    expect(run).toMatchObject({ result: { sum: 42 }, attempt: 1, error: null, lease: null });
    expect(Number(run['duration_ms'])).toBeGreaterThanOrEqual(0);
  });
});

describe('GET /runs/{id} and its events', () => {
  it('tells the history, oldest first, in pages', async () => {
    const runId = await submitted({ kind: 'task', name: 'echo', lane: 'history' });
    await api.call('POST', `/api/v1/runs/${runId}/cancel`, { json: { reason: 'not needed' } });
    const all = await api.call('GET', `/api/v1/runs/${runId}/events`);
    expect(all.body['data']).toMatchObject([
      { run_id: runId, event_type: 'submitted', source: 'api', terminal: false, epoch: 0 },
      {
        run_id: runId,
        event_type: 'cancelled',
        terminal: true,
        data: { reason: 'not needed', from: 'queued' },
      },
    ]);

    const first = await api.call('GET', `/api/v1/runs/${runId}/events?limit=1`);
    expect(first.body['page']).toMatchObject({ total: 2, has_more: true });
    const cursor = String(first.body['page']?.['next_cursor']);
    const second = await api.call('GET', `/api/v1/runs/${runId}/events?limit=1&cursor=${cursor}`);
    expect(second.body['data']).toMatchObject([{ event_type: 'cancelled' }]);
    expect(second.body['page']).toMatchObject({ has_more: false, next_cursor: null, has_prev: true });
  });

  it.each([
    ['GET', '01890000-0000-7000-8000-00000000dead', ''],
    ['GET', '01890000-0000-7000-8000-00000000dead', '/events'],
    ['POST', '01890000-0000-7000-8000-00000000dead', '/cancel'],
    ['POST', '01890000-0000-7000-8000-00000000dead', '/retry'],
    ['GET', 'not-a-uuid', ''],
    ['GET', "' OR 1=1", '/events'],
    ['POST', 'batch2', '/cancel'],
    ['GET', 'x'.repeat(300), ''],
  ])('answers 404 to %s /runs/%s%s', async (method, id, action) => {
    const { status, body } = await api.call(method, `/api/v1/runs/${encodeURIComponent(id)}${action}`);
    expect(status).toBe(404);
    expect(body).toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('POST /runs/{id}/cancel and /retry', () => {
  it('cancels once', async () => {
    const runId = await submitted({ kind: 'task', name: 'echo', lane: 'quiet' });
    const first = await api.call('POST', `/api/v1/runs/${runId}/cancel`);
    expect(first.status).toBe(200);
    expect(first.body['data']).toEqual({ run_id: runId, status: 'cancelled', previous_status: 'queued' });
    const second = await api.call('POST', `/api/v1/runs/${runId}/cancel`, { json: {} });
    expect(second.status).toBe(409);
    expect(second.body).toMatchObject({ code: 'NOT_CANCELLABLE' });
  });

  it('says of a completed run that it is complete', async () => {
    await api.startWorker();
    const runId = await submitted({ kind: 'task', name: 'echo' });
    await runWithStatus(api, runId, 'completed');
    for (const action of ['cancel', 'retry']) {
      const { status, body } = await api.call('POST', `/api/v1/runs/${runId}/${action}`);
      expect(status).toBe(409);
      expect(body).toMatchObject({ code: 'ALREADY_COMPLETE' });
    }
  });

  it('retries a cancelled run as a new one, and refuses while it has not ended', async () => {
    const spec = { kind: 'task', name: 'echo', params: { deep: { er: [1] } }, lane: 'quiet', tags: ['t'] };
    const runId = await submitted(spec);
    const early = await api.call('POST', `/api/v1/runs/${runId}/retry`);
    expect(early.status).toBe(409);
    expect(early.body).toMatchObject({ code: 'CONFLICT' });

    await api.call('POST', `/api/v1/runs/${runId}/cancel`);
    const { status, body, headers } = await api.call('POST', `/api/v1/runs/${runId}/retry`);
    expect(status).toBe(202);
    expect(body['data']).toMatchObject({ retry_of_run_id: runId, status: 'queued' });
    expect(headers.get('location')).toBe(`/api/v1/runs/${idOf(body)}`);
    expect(idOf(body)).not.toBe(runId);
    const next = await api.call('GET', `/api/v1/runs/${idOf(body)}`);
    expect(next.body['data']).toMatchObject({ ...spec, retry_of_run_id: runId, trigger_source: 'retry' });
  });
});
