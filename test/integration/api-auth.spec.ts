import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { randomKey, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';

const KEYS = [randomKey(), randomKey()] as const;
const OPEN = ['/health', '/health/live', '/health/ready'];
const WRONG: Readonly<Record<string, Record<string, string>>> = {
  'no key': {},
  'a wrong bearer key': { authorization: `Bearer ${randomKey()}` },
  'a wrong X-API-Key': { 'x-api-key': randomKey() },
  'an empty key': { 'x-api-key': '' },
  'half of a key': { 'x-api-key': KEYS[0].slice(0, -1) },
  'a key and more': { 'x-api-key': `${KEYS[0]}x` },
  'both keys in one': { 'x-api-key': KEYS.join(', ') },
  'a key under another scheme': { authorization: `Token ${KEYS[0]}` },
  'a key without a scheme': { authorization: KEYS[0] },
};
const basic = (password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`anyone:${password}`).toString('base64')}`,
});

let api: Api;
let open: Api;

beforeAll(async () => {
  // The real queue, so that the board has lanes.
  [api, open] = await Promise.all([startApi({ keys: KEYS, queue: null }), startApi()]);
});
afterAll(() => Promise.all([api.close(), open.close()]));

/** A request whose target and headers are sent exactly as given. */
function raw(url: string, options: { method?: string; path: string; headers?: Record<string, string> }) {
  const { hostname, port } = new URL(url);
  return new Promise<{ status: number; body: string }>((resolve, reject) => {
    const client = request({ hostname, port, ...options }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    });
    client.on('error', reject);
    client.end();
  });
}

/** A path that matches a route's pattern. */
const sample = (pattern: string): string => pattern.replaceAll(/:[^/]+/g, 'x').replaceAll('*', 'x.js');

describe('with API keys', () => {
  it('asks for one on every route there is but the health endpoints', async () => {
    const { routes } = api.app;
    for (const part of [
      '/api/v1/runs',
      '/metrics',
      '/docs',
      '/docs/*',
      '/admin/queues/api/queues',
      '/health',
    ]) {
      expect(routes.map((route) => route.pattern)).toContain(part);
    }
    for (const { method, pattern } of routes) {
      const { status } = await api.call(method, sample(pattern));
      const wanted = OPEN.includes(pattern) ? 200 : 401;
      expect(status, `${method} ${pattern}`).toBe(wanted);
    }
  });

  it('asks for one on routes there are not', async () => {
    for (const path of [
      '/',
      '/nope',
      '/api',
      '/api/v2/runs',
      '/health/deep',
      '/healthy',
      '/docs.html',
      '/admin',
    ]) {
      expect((await api.call('GET', path)).status, path).toBe(401);
    }
    expect((await api.call('DELETE', '/health')).status).toBe(401);
    expect((await api.call('OPTIONS', '/api/v1/runs')).status).toBe(401);
  });

  it.each([
    '/api/v1/%72uns',
    '/%61pi/v1/runs',
    '/api/v1/runs/',
    '//api/v1/runs',
    '/health/../api/v1/runs',
    '/health/%2e%2e/api/v1/runs',
    '/health%2f..%2fapi%2fv1%2fruns',
    '/health;/api/v1/runs',
    '/api/v1/runs?x=/health',
    '/api/v1/runs#/health',
    '/API/V1/RUNS',
    '/admin/queues/../../api/v1/runs',
    '/docs/%2e%2e/api/v1/runs',
    '/api/v1/%zz',
    'http://127.0.0.1/api/v1/runs',
    '*',
  ])('is not talked out of it by the path %s', async (path) => {
    expect((await raw(api.url, { path })).status).toBe(401);
  });

  it.each(Object.entries(WRONG))('answers the same to %s', async (_name, headers) => {
    const none = await api.call('GET', '/api/v1/runs');
    const answer = await api.call('GET', '/api/v1/runs', { headers });
    expect(answer.status).toBe(401);
    expect(answer.headers.get('www-authenticate')).toBe('Bearer realm="spine"');
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    const { request_id: _ours, ...body } = answer.body;
    const { request_id: _others, ...expected } = none.body;
    expect(body).toEqual(expected);
    expect(body).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  it('does not read the body of a request without a key', async () => {
    const { status } = await api.call('POST', '/api/v1/runs', { body: '{"kind":' });
    expect(status).toBe(401);
    expect((await api.rowCounts()).runs).toBe(0);
  });

  it.each(
    KEYS.flatMap((key) => [
      { authorization: `Bearer ${key}` },
      { authorization: `bearer  ${key}` },
      { 'x-api-key': key },
    ]),
  )('takes each key, as Authorization or as X-API-Key (%#)', async (headers) => {
    expect((await api.call('GET', '/api/v1/runs', { headers })).status).toBe(200);
    expect((await api.call('GET', '/metrics', { headers })).status).toBe(200);
    expect((await api.call('GET', '/api/v1/nope', { headers })).status).toBe(404);
  });

  it.each([
    '/docs',
    '/docs/',
    '/docs/openapi.json',
    '/docs/swagger-ui-bundle.js',
    '/admin/queues',
    '/admin/queues/api/queues',
  ])('lets a browser ask for the key as a password on %s', async (path) => {
    const asked = await api.call('GET', path);
    expect(asked.status).toBe(401);
    expect(asked.headers.get('www-authenticate')).toMatch(/^Basic realm="spine"/);
    expect((await api.call('GET', path, { headers: basic(KEYS[1]) })).status).toBe(200);
    expect((await api.call('GET', path, { headers: basic(randomKey()) })).status).toBe(401);
    expect((await api.call('GET', path, { headers: { 'x-api-key': KEYS[0] } })).status).toBe(200);
  });

  it('takes a password nowhere else', async () => {
    for (const path of ['/api/v1/runs', '/metrics', '/nope', '/docsx']) {
      expect((await api.call('GET', path, { headers: basic(KEYS[0]) })).status, path).toBe(401);
    }
  });

  it('serves any host name, as it asks for a key', async () => {
    const headers = { host: 'spine.example:8080', 'x-api-key': KEYS[0] };
    expect((await raw(api.url, { path: '/api/v1/runs', headers })).status).toBe(200);
  });

  it('says so', async () => {
    const { body } = await api.call('GET', '/api/v1/capabilities', { headers: { 'x-api-key': KEYS[0] } });
    expect(body['data']).toMatchObject({ mode: 'keys' });
  });

  it('keeps the keys out of its answers', async () => {
    const headers = { 'x-api-key': KEYS[0] };
    for (const { pattern, method } of api.app.routes) {
      // A stream of events does not end; what HEAD says of it does.
      const asked = pattern === '/api/v1/events/stream' ? 'HEAD' : method;
      const { text } = await api.call(asked, sample(pattern), { headers });
      expect(text.includes(KEYS[0]) || text.includes(KEYS[1]), pattern).toBe(false);
    }
  });
});

describe('in local mode', () => {
  it('asks for no key, and says so', async () => {
    expect((await open.call('GET', '/api/v1/runs')).status).toBe(200);
    expect((await open.call('GET', '/admin/queues')).status).toBe(200);
    const { body } = await open.call('GET', '/api/v1/capabilities');
    expect(body['data']).toMatchObject({ mode: 'open' });
  });

  it.each(['localhost', 'LOCALHOST:3000', '127.0.0.1', '127.0.0.1:8080', '127.9.9.9', '[::1]', '[::1]:3000'])(
    'serves the host %s',
    async (host) => {
      expect((await raw(open.url, { path: '/api/v1/runs', headers: { host } })).status).toBe(200);
    },
  );

  it.each([
    'spine.example',
    'localhost.evil.example',
    'evil.example:3000',
    '127.0.0.1.evil.example',
    '192.168.1.5',
    '0.0.0.0:3000',
    '[::ffff:8.8.8.8]',
    'localhost:3000:80',
    'localhost@evil.example',
  ])('refuses the host %j: a web page may have been pointed at this machine', async (host) => {
    for (const path of ['/api/v1/runs', '/docs', '/admin/queues', '/nope', '/api/v1/%zz']) {
      const { status, body } = await raw(open.url, { path, headers: { host } });
      expect(status, path).toBe(403);
      expect(JSON.parse(body)).toMatchObject({ code: 'FORBIDDEN' });
    }
  });

  it.each([
    [{ 'sec-fetch-site': 'cross-site' }, 403],
    [{ 'sec-fetch-site': 'same-site' }, 403],
    [{ origin: 'https://evil.example' }, 403],
    [{ origin: 'null' }, 403],
    [{ 'sec-fetch-site': 'same-origin' }, 202],
    [{ 'sec-fetch-site': 'none' }, 202],
  ])('lets no page of another site write: %o is %i', async (headers, status) => {
    const before = await open.rowCounts();
    const answer = await open.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' }, headers });
    expect(answer.status).toBe(status);
    expect((await open.rowCounts()).runs - before.runs).toBe(status === 202 ? 1 : 0);
    if (status === 403) expect(answer.body).toMatchObject({ code: 'FORBIDDEN' });
  });
});
