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

describe('GET /runs', () => {
  const lane = 'listing';
  const ids: string[] = [];

  beforeAll(async () => {
    for (let n = 0; n < 5; n += 1) {
      const tags = n % 2 === 0 ? ['even'] : ['odd'];
      ids.push(
        await submitted({ kind: 'task', name: 'echo', params: { n }, lane, tags, correlation_id: `c-${n}` }),
      );
    }
    ids.push(await submitted({ kind: 'operation', name: 'etl_stub', lane, parent_run_id: ids[0] }));
    await api.call('POST', `/api/v1/runs/${ids[4]}/cancel`);
  });

  const listed = async (query: string): Promise<string[]> => {
    const { status, body, text } = await api.call('GET', `/api/v1/runs?lane=${lane}&${query}`);
    expect(status, text).toBe(200);
    return listIn(body['data']).map((run) => String(run['run_id']));
  };

  it('lists the newest first', async () => {
    expect(await listed('')).toEqual([...ids].reverse());
  });

  it.each([
    ['kind=operation', [5]],
    ['name=echo', [4, 3, 2, 1, 0]],
    ['status=cancelled', [4]],
    ['status=queued,cancelled', [5, 4, 3, 2, 1, 0]],
    ['status=queued&status=cancelled', [5, 4, 3, 2, 1, 0]],
    ['status=completed,failed', []],
    ['tag=odd', [3, 1]],
    ['correlation_id=c-2', [2]],
    ['since=2000-01-01T00:00:00Z', [5, 4, 3, 2, 1, 0]],
    ['since=2100-01-01T00:00:00Z', []],
    ['until=2000-01-01T00:00:00%2B02:00', []],
    ['kind=task&tag=even&status=queued', [2, 0]],
  ])('filters by %s', async (query, expected) => {
    expect(await listed(query)).toEqual(expected.map((index) => ids[index]));
  });

  it('filters by the parent', async () => {
    expect(await listed(`parent_run_id=${ids[0]}`)).toEqual([ids[5]]);
  });

  it('pages by offset', async () => {
    const { body } = await api.call('GET', `/api/v1/runs?lane=${lane}&limit=2&offset=2`);
    expect(listIn(body['data']).map((run) => run['run_id'])).toEqual([ids[3], ids[2]]);
    expect(body['page']).toMatchObject({
      total: 6,
      total_is_capped: false,
      limit: 2,
      offset: 2,
      has_more: true,
      page: 2,
      total_pages: 3,
      has_prev: true,
    });
  });

  it('pages by cursor, and is not moved by runs that arrive meanwhile', async () => {
    const seen: unknown[] = [];
    let href: string | undefined = `/api/v1/runs?lane=${lane}&limit=2`;
    while (href !== undefined) {
      const answer = await api.call('GET', href);
      expect(answer.status, answer.text).toBe(200);
      seen.push(...listIn(answer.body['data']).map((run) => run['run_id']));
      await submitted({ kind: 'task', name: 'echo', lane });
      const next = listIn(answer.body['links']).find((link) => String(link['rel']) === 'next');
      expect(answer.body['page']?.['next_cursor'] === null).toBe(next === undefined);
      href = next === undefined ? undefined : String(next['href']);
    }
    expect(seen).toEqual([...ids].reverse());
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=5&limit=6', 'limit'],
    ['offset=-1', 'offset'],
    ['kind=job', 'kind'],
    ['kind=task&kind=step', 'kind'],
    ['status=done', 'status[0]'],
    ['status=queued,done', 'status[1]'],
    ['since=yesterday', 'since'],
    ['since=2026-02-30T00:00:00Z', 'since'],
    ['until=0000-01-01T00:00:00Z', 'until'],
    ['parent_run_id=42', 'parent_run_id'],
    ['lane=UPPER', 'lane'],
    ['tag=a%00b', 'tag'],
    ['correlation_id=', 'correlation_id'],
    ['cursor=nonsense', 'cursor'],
    ['cursor=ZXZlbnRzOjE', 'cursor'],
    ['state=queued', 'state'],
    ['constructor=1', 'constructor'],
    ['__proto__=1', '__proto__'],
  ])('refuses ?%s', async (query, field) => {
    const { status, body } = await api.call('GET', `/api/v1/runs?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field }] });
  });

  it('refuses a cursor together with an offset', async () => {
    const first = await api.call('GET', '/api/v1/runs?limit=1');
    const cursor = String(first.body['page']?.['next_cursor']);
    const { status, body } = await api.call('GET', `/api/v1/runs?cursor=${cursor}&offset=1`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ errors: [{ field: 'offset' }] });
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
