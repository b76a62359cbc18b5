import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildOpenApiDocument } from '@spine/api';
import { workSpecJson } from '@spine/execution';
import { testRedisUrl } from '@spine/testing';
import { listIn, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

const COMMITTED = new URL('../../openapi.json', import.meta.url);

function plain(value: unknown): Json {
  return JSON.parse(JSON.stringify(value)) as Json;
}

/** Every operation of a document, with its method and path. */
function operationsOf(document: Json): { id: string; operation: Json }[] {
  return Object.entries(document['paths'] ?? {}).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      id: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  );
}

function refsIn(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(refsIn);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, member]) =>
    key === '$ref' && typeof member === 'string' ? [member] : refsIn(member),
  );
}

describe('openapi.json', () => {
  it('is what the code says: after a change run `npm run build && npm run openapi -w @spine/api`', async () => {
    const committed = JSON.parse(readFileSync(COMMITTED, 'utf8')) as Json;
    expect(plain(await buildOpenApiDocument())).toEqual(committed);
  });

  const document = JSON.parse(readFileSync(COMMITTED, 'utf8')) as Json;
  const operations = operationsOf(document);

  it('is OpenAPI 3.1 with every reference resolved', () => {
    expect(document).toMatchObject({ openapi: '3.1.0', info: { title: 'Spine' } });
    const schemas = document['components']?.['schemas'] ?? {};
    const refs = [...new Set(refsIn(document))];
    expect(refs.length).toBeGreaterThan(10);
    for (const ref of refs) expect(Object.keys(schemas)).toContain(ref.replace('#/components/schemas/', ''));
  });

  it('describes each operation: a summary, an id of its own, successes and problems', () => {
    expect(new Set(operations.map(({ operation }) => operation['operationId'])).size).toBe(operations.length);
    for (const { id, operation } of operations) {
      expect(operation['summary'], id).toEqual(expect.any(String));
      const responses = Object.entries(operation['responses'] ?? {});
      expect(
        responses.some(([status]) => status.startsWith('2')),
        id,
      ).toBe(true);
      const problems = responses.filter(([status]) => /^[45]/.test(status));
      expect(
        problems.map(([status]) => status),
        id,
      ).toEqual(expect.arrayContaining(['400', '500', '503']));
      for (const [, response] of problems) {
        expect(response).toMatchObject({
          content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
        });
      }
    }
  });

  it('has examples for submitting a run, each a valid one', () => {
    const body = document['paths']?.['/api/v1/runs']?.['post']?.['requestBody'];
    const examples = Object.entries(body?.['content']?.['application/json']?.['examples'] ?? {});
    expect(examples.length).toBeGreaterThanOrEqual(3);
    for (const [name, example] of examples) {
      expect(workSpecJson.safeParse(example['value']).success, name).toBe(true);
    }
  });
});

describe.each(['postgres', 'redis'])('the pages, with the queue on %s', (backend) => {
  let api: Api;

  beforeAll(async () => {
    api = await startApi({ queue: null, ...(backend === 'redis' ? { redisUrl: await testRedisUrl() } : {}) });
  });
  afterAll(() => api.close());

  it('documents exactly the endpoints there are', async () => {
    const { body } = await api.call('GET', '/docs/openapi.json');
    const documented = operationsOf(body).map(({ id }) => id);
    const outside = /^\/(docs|admin\/queues)(\/|$)/;
    const routed = api.app.routes
      .filter(({ method, pattern }) => method !== 'HEAD' && !outside.test(pattern))
      .map(({ method, pattern }) => `${method} ${pattern.replaceAll(/:(\w+)/g, '{$1}')}`);
    expect(documented.sort()).toEqual(routed.sort());
  });

  it('serves the documentation page from its own files', async () => {
    const page = await api.call('GET', '/docs');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-security-policy')).toContain("default-src 'self'");
    // The policy runs no script that stands in the page itself.
    expect(page.text).not.toMatch(/<script(?![^>]*\ssrc=)/);
    const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(assets.length).toBeGreaterThan(3);
    for (const asset of assets) {
      const { pathname, origin } = new URL(asset, `${api.url}/docs`);
      expect(origin, asset).toBe(api.url);
      expect((await api.call('GET', pathname)).status, asset).toBe(200);
    }
    const script = await api.call('GET', '/docs/swagger-ui-init.js');
    expect(script.text).toContain('"/api/v1/runs/{run_id}/cancel"');
  });

  it('shows the hints on the board', async () => {
    const spec = { kind: 'task', name: 'echo', params: {} };
    expect((await api.call('POST', '/api/v1/runs', { json: spec })).status).toBe(202);
    await api.engine.dispatcher.drain();
    const page = await api.call('GET', '/admin/queues');
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toMatch(/^text\/html/);
    expect(page.text).toContain('<title>Spine queues</title>');
    for (const [, asset] of page.text.matchAll(/<script defer src="([^"]+)"/g)) {
      expect((await api.call('GET', `/admin/queues/${asset}`)).status, asset).toBe(200);
    }

    const { status, body } = await api.call(
      'GET',
      '/admin/queues/api/queues?activeQueue=default&status=latest&page=1',
    );
    expect(status).toBe(200);
    const queues = listIn(body['queues']);
    expect(queues.map((queue) => queue['name'])).toEqual(['default', 'backfill', 'slow']);
    const jobs = listIn(queues[0]?.['jobs']);
    expect(new Set(jobs.map((job) => job['name']))).toEqual(new Set(['task:echo']));
    // A run whose row was slow is hinted twice.
    expect(queues[0]).toMatchObject({ readOnlyMode: true, counts: { prioritized: jobs.length } });
  });

  it('lets nobody change hints from the board', async () => {
    for (const [method, path] of [
      ['PUT', 'default/pause'],
      ['PUT', 'default/empty'],
      ['PUT', 'default/obliterate'],
      ['POST', 'default/add'],
    ] as const) {
      const { status } = await api.call(method, `/admin/queues/api/queues/${path}`, {
        json: { name: 'x', data: {}, options: {} },
      });
      expect(status, path).toBe(405);
    }
  });

  it('takes no less strict JSON for the board', async () => {
    const body = '{"name":"x","data":{"__proto__":1}}';
    const answer = await api.call('POST', '/admin/queues/api/queues/default/add', { body });
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field: 'data.__proto__' }] });
  });

  it('answers what is not there as a problem, on the pages too', async () => {
    for (const path of ['/docs/nope.js', '/admin/queues/api/nope', '/admin/queues/static/nope.js']) {
      const { status, body } = await api.call('GET', path);
      expect(status, path).toBe(404);
      expect(body, path).toMatchObject({ code: 'NOT_FOUND' });
    }
  });
});
