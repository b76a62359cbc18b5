import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { registerWorker } from '@spine/database';
import { newWorkerId } from '@spine/core';
import { anyNumber, anyText, listIn, startApi, textLike } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const functionsOf = (body: Json) =>
  listIn(body['data']).map((each) => `${String(each['kind'])}:${String(each['name'])}`);

describe('every answer', () => {
  const REQUESTS = [
    ['GET', '/health', 200],
    ['GET', '/api/v1/runs', 200],
    ['GET', '/metrics', 200],
    ['GET', '/docs', 200],
    ['GET', '/admin/queues', 200],
    ['GET', '/nope', 404],
    ['GET', '/api/v1/%zz', 400],
    ['POST', '/api/v1/runs', 400],
  ] as const;

  it.each(REQUESTS)('has an id and a time: %s %s', async (method, path, status) => {
    const answer = await api.call(method, path, { headers: { 'x-request-id': 'abc-123_DEF.4:5' } });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('x-request-id')).toBe('abc-123_DEF.4:5');
    expect(answer.headers.get('x-process-time-ms')).toMatch(/^\d+(\.\d+)?$/);
    expect(answer.headers.get('server-timing')).toMatch(/^total;dur=\d+(\.\d+)?$/);
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
  });

  it.each(['a b', 'a\tb', '<script>', 'x'.repeat(129), '"', '-leading', 'ü'])(
    'gets a new id for the unsafe one %j',
    async (given) => {
      const headers = { 'x-request-id': Buffer.from(given).toString('latin1') };
      const { headers: answered } = await api.call('GET', '/health/live', { headers });
      expect(answered.get('x-request-id')).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    },
  );

  it('has an id of its own', async () => {
    const ids = await Promise.all(
      Array.from({ length: 10 }, async () =>
        (await api.call('GET', '/health/live')).headers.get('x-request-id'),
      ),
    );
    expect(new Set(ids).size).toBe(10);
  });

  it('is an envelope or a problem', async () => {
    const success = await api.call('GET', '/api/v1/capabilities');
    expect(success.body).toEqual({
      data: expect.objectContaining({}) as object,
      elapsed_ms: anyNumber,
      warnings: [],
      links: [],
    });
    const problem = await api.call('GET', '/api/v1/nope');
    expect(problem.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(problem.body).toEqual({
      type: 'urn:spine:problem:not-found',
      title: 'Not found',
      status: 404,
      detail: anyText,
      instance: '/api/v1/nope',
      code: 'NOT_FOUND',
      errors: [],
      request_id: problem.headers.get('x-request-id'),
    });
  });
});

describe('health', () => {
  it.each(['/health', '/health/ready'])('%s tells the state of each dependency', async (path) => {
    const { status, body } = await api.call('GET', path);
    expect(status).toBe(200);
    expect(body['data']).toMatchObject({
      status: 'ok',
      version: textLike(/^\d+\.\d+\.\d+/),
      dependencies: {
        database: { status: 'up', latency_ms: anyNumber },
        queue: { status: 'up', latency_ms: anyNumber },
      },
    });
  });

  it('/health/live asks nobody', async () => {
    const { status, body } = await api.call('GET', '/health/live');
    expect(status).toBe(200);
    expect(body['data']).toEqual({ status: 'ok' });
  });
});

describe('GET /metrics', () => {
  it('is Prometheus text with bounded labels', async () => {
    await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' } });
    await api.call('GET', '/api/v1/runs/01890000-0000-7000-8000-00000000dead');
    await api.call('GET', '/secret/path');
    const { headers, text } = await api.call('GET', '/metrics');
    expect(headers.get('content-type')).toBe('text/plain; version=0.0.4; charset=utf-8');
    const series = text
      .split('\n')
      .filter((line) => /^spine_(runs_submitted|http_request_seconds_count)/.test(line));
    const http = 'spine_http_request_seconds_count{service="api",method="GET"';
    expect(series).toContainEqual(textLike(/^spine_runs_submitted_total\{kind="task",service="api"\} \d+$/));
    expect(series).toContain(`${http},route="/api/v1/runs/:run_id",status="4xx"} 1`);
    expect(series).toContainEqual(expect.stringContaining(`${http},route="unknown",status="4xx"}`));
    expect(text).not.toContain('00000000dead');
    expect(text).not.toContain('secret');
  });
});

describe('GET /capabilities', () => {
  it('tells what this deployment is and can do', async () => {
    const { body } = await api.call('GET', '/api/v1/capabilities');
    expect(body['data']).toMatchObject({
      tier: 'embedded',
      mode: 'open',
      backends: { database: 'postgres', queue: 'memory' },
      lanes: ['default', 'backfill', 'slow'],
      limits: { batch_items: 1_000, params_bytes: 16 * 1024 * 1024, body_bytes: 17 * 1024 * 1024 },
    });
    expect(body['data']?.['features']).toEqual(
      expect.arrayContaining([
        'dead_letters',
        'workflows',
        'data_ledger',
        'schedules',
        'webhooks',
        'audit_log',
      ]),
    );
  });
});

describe('GET /functions', () => {
  it('describes the handlers, with the schema of their params', async () => {
    const { body } = await api.call('GET', '/api/v1/functions?limit=1000');
    expect(functionsOf(body)).toEqual([
      'operation:etl_stub',
      'task:add',
      'task:echo',
      'task:fail',
      'task:sleep',
      'task:transform',
    ]);
    const one = await api.call('GET', '/api/v1/functions/task/add');
    expect(one.body['data']).toMatchObject({
      kind: 'task',
      name: 'add',
      description: 'Adds two numbers.',
      tags: ['builtin'],
      idempotency: null,
      params_schema: { type: 'object', required: ['a', 'b'], properties: { a: { type: 'number' } } },
      live: false,
    });
    expect(listIn(body['data'])[1]).toEqual(one.body['data']);
  });

  it('pages', async () => {
    const { body } = await api.call('GET', '/api/v1/functions?limit=2&offset=2');
    expect(functionsOf(body)).toEqual(['task:echo', 'task:fail']);
    expect(body['page']).toMatchObject({ total: 6, has_more: true, page: 2, total_pages: 3 });
  });

  it('lists what only a live worker knows, and accepts runs for it', async () => {
    await registerWorker(api.engine.pool, {
      workerId: newWorkerId(),
      hostname: 'elsewhere',
      pid: 1,
      version: '0.0.0',
      lanes: ['default'],
      handlers: ['task:echo', 'operation:only.there'],
      slots: 10,
    });
    await api.engine.capacity.refresh();
    const found = await api.call('GET', '/api/v1/functions/operation/only.there');
    expect(found.body['data']).toEqual({
      kind: 'operation',
      name: 'only.there',
      description: null,
      tags: [],
      idempotency: null,
      params_schema: null,
      live: true,
    });
    expect((await api.call('GET', '/api/v1/functions/task/echo')).body['data']).toMatchObject({ live: true });
    const run = await api.call('POST', '/api/v1/runs', { json: { kind: 'operation', name: 'only.there' } });
    expect(run.status).toBe(202);
    expect(run.body['warnings']).toEqual([]);
  });

  it.each(['task/nope', 'job/echo', 'step/echo', `task/${'x'.repeat(201)}`, `task/${'x'.repeat(5_000)}`])(
    'answers 404 to %s',
    async (path) => {
      const { status, body } = await api.call('GET', `/api/v1/functions/${path}`);
      expect(status).toBe(404);
      expect(body).toMatchObject({ code: 'NOT_FOUND' });
    },
  );
});
