/** API keys: what opens what, for how long, and that nobody gets more than they were given. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SCOPES } from '@spine/core';
import type { Scope } from '@spine/core';
import { createPool } from '@spine/database';
import { waitFor } from '@spine/testing';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';

const ADMIN = randomKey();
const DAY = 86_400_000;

let api: Api;
/** Another process over the same database. */
let other: Api;

beforeAll(async () => {
  api = await startApi({
    keys: [ADMIN],
    env: { SPINE_TRUST_PROXY_HOPS: '1', SPINE_EVENT_STREAMS_PER_KEY: '2' },
  });
  other = await startApi({ keys: [ADMIN], databaseUrl: api.database.connectionString });
});
afterAll(async () => {
  await other.close();
  await api.close();
});

const as = (key: string) => ({ 'x-api-key': key });

function create(body: Json | object, key = ADMIN): Promise<Answer> {
  return api.call('POST', '/api/v1/keys', { json: body, headers: as(key) });
}

async function keyWith(scopes: readonly Scope[], more: object = {}): Promise<{ id: string; key: string }> {
  const { status, body } = await create({ name: 'test', scopes, ...more });
  expect(status).toBe(201);
  return { id: String(body['data']?.['key_id']), key: String(body['data']?.['key']) };
}

const status = async (key: string, path = '/api/v1/runs', on: Api = api): Promise<number> =>
  (await on.call('GET', path, { headers: as(key) })).status;

describe('a key', () => {
  it('is shown once, and only its hash is stored', async () => {
    const answer = await create({ name: 'loader', scopes: ['read', 'submit', 'read'] });
    const data = answer.body['data'] ?? {};
    expect(data).toMatchObject({
      name: 'loader',
      scopes: ['read', 'submit'],
      namespace: null,
      status: 'active',
      created_by: 'static:1',
    });
    const id = String(data['key_id']);
    const key = String(data['key']);
    expect(key).toMatch(/^spk_[0-9a-f]{32}\.[A-Za-z0-9_-]{43}$/);
    expect(answer.headers.get('location')).toBe(`/api/v1/keys/${id}`);
    const secret = key.slice(key.indexOf('.') + 1);
    for (const path of [`/api/v1/keys/${id}`, '/api/v1/keys', '/api/v1/audit']) {
      const { status: ok, text } = await api.call('GET', path, { headers: as(ADMIN) });
      expect(ok).toBe(200);
      expect(text).not.toContain(secret);
    }
    const { rows } = await api.engine.pool.query<{ row: string }>(
      `SELECT k::text || a::text AS row FROM api_keys k, audit_log a WHERE key_id = '${id}'`,
    );
    expect(rows.length).toBeGreaterThan(0);
    expect(rows.some(({ row }) => row.includes(secret))).toBe(false);
    expect(await status(key)).toBe(200);
    expect(await status(key, '/api/v1/runs', other)).toBe(200);
  });

  it('says when it was used last', async () => {
    const { id, key } = await keyWith(['read']);
    const used = async () =>
      (await api.call('GET', `/api/v1/keys/${id}`, { headers: as(ADMIN) })).body['data'];
    expect(await used()).toMatchObject({ last_used_at: null });
    await status(key);
    await waitFor(async () => (await used())?.['last_used_at'] !== null);
  });

  it('answers alike whatever is wrong with it', async () => {
    const revoked = await keyWith(['read']);
    await api.call('POST', `/api/v1/keys/${revoked.id}/revoke`, { headers: as(ADMIN) });
    const expired = await keyWith(['read']);
    const past = { expires_at: '2020-01-01T00:00:00Z' };
    await api.call('POST', `/api/v1/keys/${expired.id}/expire`, { json: past, headers: as(ADMIN) });
    const good = await keyWith(['read']);
    const answers = [];
    for (const key of [
      revoked.key,
      expired.key,
      `${good.key.slice(0, -1)}${good.key.endsWith('A') ? 'B' : 'A'}`,
      `spk_${'0'.repeat(32)}.${good.key.split('.')[1] ?? ''}`,
      good.key.toUpperCase(),
      `${good.key}=`,
      'nonsense',
    ]) {
      const { status: code, body, headers } = await api.call('GET', '/api/v1/runs', { headers: as(key) });
      const { request_id: _id, ...rest } = body;
      answers.push({ code, rest, challenge: headers.get('www-authenticate') });
    }
    expect(answers.map(({ code }) => code)).toEqual(answers.map(() => 401));
    for (const answer of answers) expect(answer).toEqual(answers[0]);
    expect(await status(good.key)).toBe(200);
  });

  it('is refused in every process within seconds of its end', async () => {
    const { id, key } = await keyWith(['read']);
    expect(await status(key)).toBe(200);
    expect(await status(key, '/api/v1/runs', other)).toBe(200);
    const revoke = () => api.call('POST', `/api/v1/keys/${id}/revoke`, { headers: as(ADMIN) });
    expect((await revoke()).body['data']).toMatchObject({ status: 'revoked', revoked_by: 'static:1' });
    expect(await status(key)).toBe(401);
    await waitFor(async () => (await status(key, '/api/v1/runs', other)) === 401, { timeoutMs: 15_000 });
    expect((await revoke()).status).toBe(409);
  });

  it('goes on with its old secret while a rotation leaves it time, and no longer', async () => {
    const { id, key } = await keyWith(['read']);
    const rotate = async (json?: object) => {
      const init = { headers: as(ADMIN), ...(json === undefined ? {} : { json }) };
      return (await api.call('POST', `/api/v1/keys/${id}/rotate`, init)).body['data'] ?? {};
    };
    const second = String((await rotate())['key']);
    expect([await status(key), await status(second)]).toEqual([200, 200]);
    const third = String((await rotate())['key']);
    expect([await status(key), await status(second), await status(third)]).toEqual([401, 200, 200]);
    const fourth = await rotate({ grace_seconds: 0 });
    expect(fourth).toMatchObject({ previous_until: null, key_id: id });
    expect([await status(third), await status(String(fourth['key']))]).toEqual([401, 200]);
  });

  it('does not hide guesses that come along with it', async () => {
    const [own, late] = [await keyWith(['read']), await keyWith(['read'])];
    const from = (key: string, more: object = {}): Promise<Answer> =>
      api.call('GET', '/api/v1/runs', {
        headers: { ...as(key), 'x-forwarded-for': '10.0.0.1', ...more },
      });
    expect((await from(own.key)).status).toBe(200);
    const guesses = await Promise.all(
      Array.from({ length: 61 }, () =>
        from(`spk_${'0'.repeat(32)}.${'A'.repeat(43)}`, { authorization: `Bearer ${own.key}` }),
      ),
    );
    expect(new Set(guesses.map(({ status: code }) => code))).toEqual(new Set([200]));
    // Not even a right guess tells anything.
    expect((await from(late.key)).status).toBe(429);
    expect((await from(own.key)).status).toBe(200);
    expect(await status(late.key)).toBe(200);
  });

  it('takes the streams it opened with it, however it ends, and no others', async () => {
    const [revoked, rotated, expired, good] = await Promise.all(
      Array.from({ length: 4 }, () => keyWith(['read'])),
    );
    const open: string[] = [];
    const gone = new AbortController();
    const follow = async (name: string, key = ''): Promise<void> => {
      const init = { headers: as(key), signal: gone.signal };
      const { status: code, body } = await fetch(`${api.url}/api/v1/events/stream`, init);
      expect(code).toBe(200);
      open.push(name);
      void body?.pipeTo(new WritableStream()).then(
        () => open.splice(open.indexOf(name), 1),
        () => undefined,
      );
    };
    await Promise.all([
      follow('revoked', revoked?.key),
      follow('rotated', rotated?.key),
      follow('expired', expired?.key),
      follow('good', good?.key),
      follow('admin', ADMIN),
    ]);
    const end = async (id = '', action: string, json?: object): Promise<void> => {
      const init = { headers: as(ADMIN), ...(json === undefined ? {} : { json }) };
      expect((await api.call('POST', `/api/v1/keys/${id}/${action}`, init)).status).toBe(200);
    };
    await end(revoked?.id, 'revoke');
    await end(rotated?.id, 'rotate', { grace_seconds: 0 });
    await end(expired?.id, 'expire', { expires_at: new Date(0).toISOString() });
    await waitFor(() => Promise.resolve(open.length === 2), { timeoutMs: 15_000 });
    expect(new Set(open)).toEqual(new Set(['good', 'admin']));
    gone.abort();
  });

  it('has so many streams open at once, and gets the place of each back, however it ended', async () => {
    const [mine, theirs] = await Promise.all([keyWith(['read']), keyWith(['read'])]);
    const gone = new AbortController();
    const follow = (key: string, query = '', signal = gone.signal): Promise<Response> =>
      fetch(`${api.url}/api/v1/events/stream${query}`, { headers: as(key), signal });
    const submitted = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'task', name: 'echo' },
      headers: as(ADMIN),
    });
    const run = String(submitted.body['data']?.['run_id']);
    await api.call('POST', `/api/v1/runs/${run}/cancel`, { headers: as(ADMIN) });
    // Refused ones, one that is over when it begins, and one that ends with its run take no place for good.
    for (let n = 0; n < 2; n += 1) {
      expect((await follow(mine.key, '?run_id=01930000-0000-7000-8000-00000000abcd')).status).toBe(404);
      expect((await follow(mine.key, '?last_event_id=999999999999')).status).toBe(400);
      const over = `?run_id=${run}&until_terminal=true`;
      expect((await follow(mine.key, `${over}&last_event_id=2`)).status).toBe(204);
      expect(await (await follow(mine.key, over)).text()).toContain('event: end');
    }
    const first = new AbortController();
    expect((await follow(mine.key, '', first.signal)).status).toBe(200);
    expect((await follow(mine.key)).status).toBe(200);
    const refused = await follow(mine.key);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '5']);
    expect(await refused.json()).toMatchObject({ code: 'QUOTA_EXCEEDED' });
    expect((await follow(theirs.key)).status).toBe(200);
    first.abort();
    await waitFor(async () => (await follow(mine.key)).status === 200);
    expect((await follow(mine.key)).status).toBe(429);
    gone.abort();
  });

  it('expires, and can be let on', async () => {
    const soon = new Date(Date.now() + DAY).toISOString();
    const { id, key } = await keyWith(['read'], { expires_at: soon });
    const expire = (at: string | null) =>
      api.call('POST', `/api/v1/keys/${id}/expire`, { json: { expires_at: at }, headers: as(ADMIN) });
    expect(await status(key)).toBe(200);
    expect((await expire('2020-01-01T00:00:00Z')).body['data']).toMatchObject({ status: 'expired' });
    expect(await status(key)).toBe(401);
    expect((await expire(null)).body['data']).toMatchObject({ status: 'active', expires_at: null });
    expect(await status(key)).toBe(200);
  });

  it.each([
    [{ scopes: ['read'] }, 'name'],
    [{ name: 'x' }, 'scopes'],
    [{ name: 'x', scopes: [] }, 'scopes'],
    [{ name: 'x', scopes: ['root'] }, 'scopes[0]'],
    [{ name: 'x', scopes: ['read'], namespace: 'Not This' }, 'namespace'],
    [{ name: 'x', scopes: ['read'], expires_at: '2020-01-01T00:00:00Z' }, 'expires_at'],
    [{ name: 'x', scopes: ['read'], expires_at: 'soon' }, 'expires_at'],
    [{ name: 'x', scopes: ['read'], key_id: 'mine' }, 'key_id'],
    [{ name: 'x\u0000', scopes: ['read'] }, 'body'],
  ])('is not made of %j', async (body, field) => {
    const answer = await create(body);
    expect(answer.status).toBe(400);
    expect(listIn(answer.body['errors']).map((error) => String(error['field']))).toEqual(
      expect.arrayContaining([expect.stringContaining(field === 'body' ? 'name' : field)]),
    );
  });

  it('is listed page by page', async () => {
    const first = await api.call('GET', '/api/v1/keys?limit=2', { headers: as(ADMIN) });
    const cursor = String(first.body['page']?.['next_cursor']);
    const next = await api.call('GET', `/api/v1/keys?limit=2&cursor=${cursor}`, { headers: as(ADMIN) });
    const ids = [first, next].flatMap(({ body }) => listIn(body['data']).map((key) => String(key['key_id'])));
    expect(ids).toEqual([...new Set(ids)].sort().reverse());
    expect(ids).toHaveLength(4);
  });
});

describe('scopes', () => {
  /** What each endpoint needs, of every kind, and the board and the documentation. */
  const ENDPOINTS: readonly (readonly [string, string, Scope])[] = [
    ['GET', '/api/v1/runs', 'read'],
    ['HEAD', '/api/v1/runs', 'read'],
    ['POST', '/api/v1/runs', 'submit'],
    ['POST', '/api/v1/runs/cancel', 'operate'],
    ['POST', '/api/v1/queues/x/pause', 'operate'],
    ['GET', '/api/v1/keys', 'admin'],
    ['GET', '/api/v1/audit', 'admin'],
    ['GET', '/metrics', 'metrics'],
    ['GET', '/docs/openapi.json', 'read'],
    ['GET', '/admin/queues', 'read'],
    ['PUT', '/admin/queues/api/queues/x/pause', 'admin'],
  ];
  const opens: Readonly<Record<Scope, readonly Scope[]>> = {
    read: ['read', 'metrics'],
    submit: ['submit'],
    operate: ['operate'],
    admin: SCOPES,
    metrics: ['metrics'],
  };

  it.each(SCOPES)('%s opens what it says and nothing else', async (held) => {
    const { key } = await keyWith([held]);
    for (const [method, path, needed] of ENDPOINTS) {
      const { status: code, body } = await api.call(method, path, { headers: as(key) });
      expect(code === 403, `${method} ${path} with ${held}: ${code}`).toBe(!opens[held].includes(needed));
      if (code === 403 && method !== 'HEAD') {
        expect(body).toMatchObject({ code: 'FORBIDDEN', required_scope: needed });
        expect(String(body['detail'])).toContain(held);
      }
    }
    expect(await status(key, '/api/v1/nothing-here')).toBe(404);
  });

  it.each([
    ['GET', '/%61pi/v1/keys'],
    ['GET', '/api/v1/%6beys'],
    ['GET', '/api/v1/keys/'],
    ['GET', '//api/v1/keys'],
    ['GET', '/api//v1/keys'],
    ['GET', '/API/v1/keys'],
    ['GET', '/api/v1/keys;x'],
    ['GET', '/api/v1/runs/..%2fkeys'],
    ['GET', '/api/v1/keys?x=/health'],
    ['HEAD', '/api/v1/keys'],
    ['OPTIONS', '/api/v1/keys'],
    ['GET', '/health/../api/v1/keys'],
    ['GET', '/docs/..%2f..%2fapi/v1/keys'],
  ])('are not talked round by %s %s', async (method, path) => {
    const { key } = await keyWith(['read']);
    const { status: code, body } = await api.call(method, path, { headers: as(key) });
    expect([403, 404]).toContain(code);
    expect(body).not.toHaveProperty('data');
  });

  it.each(['x-http-method-override', 'x-http-method', 'x-method-override'])(
    'are those of the method that was sent, whatever %s says',
    async (header) => {
      const { key } = await keyWith(['read']);
      const headers = { ...as(key), [header]: 'GET' };
      const answer = await api.call('POST', '/api/v1/runs', {
        headers,
        json: { kind: 'task', name: 'echo' },
      });
      expect(answer.status).toBe(403);
      const overridden = await api.call('GET', '/api/v1/runs', { headers: { ...as(key), [header]: 'POST' } });
      expect(overridden.status).toBe(200);
    },
  );

  it('are declared by every route there is, the pages’ and HEAD too', () => {
    const { access, routes } = api.app;
    expect(routes.length).toBeGreaterThan(150);
    const undeclared = routes.filter(({ method, pattern }) => access.of(method, pattern) === undefined);
    expect(undeclared).toEqual([]);
    expect(() => access.check([{ method: 'GET', pattern: '/api/v1/undeclared' }])).toThrow(
      'no scope is declared for GET /api/v1/undeclared',
    );
    const heads = routes.filter(({ method }) => method === 'HEAD');
    expect(heads.length).toBeGreaterThan(50);
    for (const { pattern } of heads) expect(access.of('HEAD', pattern)).toBe(access.of('GET', pattern));
  });

  it('that are open are few', () => {
    const open = api.app.routes.filter(({ method, pattern }) => {
      const scope = api.app.access.of(method, pattern)?.scope;
      return scope === 'open' || scope === 'signed';
    });
    expect([...new Set(open.map(({ pattern }) => pattern))].sort()).toEqual([
      '/api/v1/webhooks/trigger/:name',
      '/health',
      '/health/live',
      '/health/ready',
    ]);
  });
});

describe('while keys cannot be read', () => {
  it('one of the database is neither good nor bad, and one of the environment opens', async () => {
    const { key } = await keyWith(['read']);
    const pool = createPool({ connectionString: api.database.connectionString, role: null });
    await pool.query('ALTER TABLE api_keys RENAME TO api_keys_away');
    try {
      expect(await status(key, '/api/v1/capabilities', other)).toBe(500);
      expect(await status(ADMIN, '/api/v1/capabilities', other)).toBe(200);
    } finally {
      await pool.query('ALTER TABLE api_keys_away RENAME TO api_keys');
      await pool.end();
    }
    expect(await status(key, '/api/v1/capabilities', other)).toBe(200);
  });
});
