/** Triggers and signed webhooks over HTTP. */
import { Webhook } from 'standardwebhooks';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';

const SECRET = 'a secret that only sender and receiver know';

let api: Api;
const key = randomKey();
beforeAll(async () => {
  api = await startApi({
    keys: [key],
    resolveSecret: (reference) =>
      reference === 'secret:env:HOOK'
        ? Promise.resolve(SECRET)
        : reference === 'secret:env:NO_KEY'
          ? Promise.resolve('whsec_not base64')
          : Promise.reject(new MissingError()),
  });
});
afterAll(() => api.close());

class MissingError extends Error {}

const BASE = '/api/v1/triggers';
const headers = { authorization: `Bearer ${key}` };
let names = 0;
const body = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  name: `hook-${(names += 1)}`,
  source: { type: 'webhook', secret_ref: 'secret:env:HOOK' },
  target_type: 'task',
  target_name: 'echo',
  param_mapping: { commit: '$.after' },
  ...more,
});
const create = async (more: Record<string, unknown> = {}): Promise<Json> => {
  const answer = await api.call('POST', BASE, { json: body(more), headers });
  expect(answer.status, answer.text).toBe(201);
  return answer.body['data'] as Json;
};

interface Sent {
  readonly id?: string;
  readonly body?: string;
  readonly at?: Date;
  readonly secret?: string;
  readonly tamper?: (signature: string) => string;
}

async function send(name: string, sent: Sent = {}): Promise<Answer> {
  const {
    id = 'event-1',
    body: text = '{"after":"abc"}',
    at = new Date(),
    tamper = (signature) => signature,
  } = sent;
  const signature = new Webhook(Buffer.from(sent.secret ?? SECRET), { format: 'raw' }).sign(id, at, text);
  return api.call('POST', `/api/v1/webhooks/trigger/${name}`, {
    body: text,
    headers: {
      'content-type': 'application/json',
      'webhook-id': id,
      'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
      'webhook-signature': tamper(signature),
    },
  });
}

describe('a webhook', () => {
  it('starts a run, and no second one for the same event', async () => {
    const name = String((await create())['name']);
    const first = await send(name);
    expect(first.status, first.text).toBe(202);
    const data = first.body['data'] as Json;
    expect(data).toMatchObject({ event_id: 'event-1', status: 'ACCEPTED', duplicate: false });
    const run = await api.call('GET', `/api/v1/runs/${String(data['run_id'])}`, { headers });
    expect(run.body['data']).toMatchObject({ params: { commit: 'abc' }, trigger_source: 'trigger:webhook' });
    const again = await Promise.all(
      Array.from({ length: 5 }, () => send(name, { body: '{"after":"other"}' })),
    );
    for (const answer of again) {
      expect(answer.status).toBe(200);
      expect(answer.body['data']).toMatchObject({ run_id: data['run_id'], duplicate: true });
    }
    expect((await send(name, { id: 'event-2' })).status).toBe(202);
  });

  it('of many at once with one id starts one run', async () => {
    const name = String((await create())['name']);
    const answers = await Promise.all(Array.from({ length: 10 }, () => send(name)));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    expect(new Set(answers.map((answer) => (answer.body['data'] as Json)['run_id'])).size).toBe(1);
  });

  it('that is not signed right is refused, always with the same answer', async () => {
    const name = String((await create())['name']);
    const wrong = await Promise.all([
      send('nobody'),
      send(name, { secret: 'another' }),
      send(name, { tamper: () => '' }),
      send(name, { tamper: () => 'v1' }),
      send(name, { tamper: (signature) => signature.replace('v1,', 'v2,') }),
      send(name, { tamper: (signature) => signature.slice(0, -4) }),
      send(name, { at: new Date(Date.now() - 10 * 60_000) }),
      send(name, { at: new Date(Date.now() + 10 * 60_000) }),
    ]);
    const told = wrong.map(({ status, body: answer }) => [status, answer['code'], answer['detail']]);
    expect(new Set(told.map((each) => JSON.stringify(each))).size).toBe(1);
    expect(told[0]?.slice(0, 2)).toEqual([401, 'UNAUTHENTICATED']);
    const unsigned = await api.call('POST', `/api/v1/webhooks/trigger/${name}`, { json: {} });
    expect(unsigned.status).toBe(401);
  });

  it('whose body was changed on the way is refused', async () => {
    const name = String((await create())['name']);
    const at = new Date();
    const signature = new Webhook(Buffer.from(SECRET), { format: 'raw' }).sign('e', at, '{"after":"abc"}');
    const answer = await api.call('POST', `/api/v1/webhooks/trigger/${name}`, {
      body: '{"after": "abc"}',
      headers: {
        'content-type': 'application/json',
        'webhook-id': 'e',
        'webhook-timestamp': String(Math.floor(at.getTime() / 1_000)),
        'webhook-signature': signature,
      },
    });
    expect(answer.status).toBe(401);
  });

  it('whose secret cannot be had says nothing of it', async () => {
    const name = String(
      (await create({ source: { type: 'webhook', secret_ref: 'secret:env:GONE' } }))['name'],
    );
    const answer = await send(name);
    expect(answer.status).toBeGreaterThanOrEqual(500);
    expect(answer.text).not.toContain('GONE');
  });

  it('that comes again after its event was cleared away is still known', async () => {
    const name = String((await create())['name']);
    const first = await send(name);
    await api.engine.pool.query('DELETE FROM inbound_events WHERE channel = $1', [name]);
    const again = await send(name);
    expect(again.status).toBe(200);
    const { run_id: runId } = first.body['data'] as Json;
    expect(again.body['data']).toMatchObject({ run_id: runId, duplicate: true });
  });

  it('of a name that none can have is refused like any other', async () => {
    for (const name of ['%00', 'A', '%F0%9F%92%A9', 'a'.repeat(300)])
      expect((await send(name)).status).toBe(401);
  });

  it('whose secret is no key says nothing of it', async () => {
    const source = { type: 'webhook', secret_ref: 'secret:env:NO_KEY' };
    const answer = await send(String((await create({ source }))['name']));
    expect([answer.status, answer.body['code']]).toEqual([503, 'UNAVAILABLE']);
    expect(answer.text).not.toContain('base64');
  });

  it('that was filtered out or rejected says so', async () => {
    const name = String((await create({ filter: 'event.data.after == "def"' }))['name']);
    const filtered = await send(name);
    expect([filtered.status, (filtered.body['data'] as Json)['status']]).toEqual([200, 'FILTERED']);
    const rejected = await send(String((await create())['name']), { body: '{}' });
    expect(rejected.body['data']).toMatchObject({ status: 'REJECTED', run_id: null });
  });

  it('that is paused is refused', async () => {
    const hook = await create();
    const path = `${BASE}/${String(hook['trigger_id'])}`;
    expect((await api.call('POST', `${path}/pause`, { headers })).status).toBe(200);
    expect((await send(String(hook['name']))).status).toBe(401);
    expect((await api.call('POST', `${path}/resume`, { headers })).status).toBe(200);
    expect((await send(String(hook['name']))).status).toBe(202);
  });
});

describe('a trigger', () => {
  it('is created, read, listed, replaced and deleted; its deliveries stay', async () => {
    const hook = await create();
    const path = `${BASE}/${String(hook['trigger_id'])}`;
    for (const id of ['a', 'b', 'c']) await send(String(hook['name']), { id });
    expect((await api.call('GET', path, { headers })).body['data']).toEqual(hook);
    const listed = await api.call('GET', '/api/v1/webhooks', { headers });
    expect(listIn(listed.body['data']).map((each) => each['name'])).toContain(hook['name']);
    const replaced = await api.call('PUT', path, {
      json: body({ name: hook['name'], param_mapping: {} }),
      headers: { ...headers, 'if-match': '"1"' },
    });
    expect(replaced.body['data']).toMatchObject({ version: 2, param_mapping: {} });
    expect((await api.call('DELETE', path, { headers })).status).toBe(200);
    expect((await api.call('GET', path, { headers })).status).toBe(404);
    const page = await api.call('GET', `${path}/deliveries?limit=2`, { headers });
    const cursor = String((page.body['page'] as Json)['next_cursor']);
    const rest = await api.call('GET', `${path}/deliveries?limit=2&cursor=${cursor}`, { headers });
    const ids = [...listIn(page.body['data']), ...listIn(rest.body['data'])].map((each) => each['event_id']);
    expect(ids).toEqual(['c', 'b', 'a']);
  });

  it('whose name is taken, or whose target nobody knows, says so', async () => {
    const [one, two] = [await create(), await create()];
    const path = `${BASE}/${String(two['trigger_id'])}`;
    const taken = await api.call('PUT', path, { json: body({ name: one['name'] }), headers });
    expect([taken.status, taken.body['detail']]).toEqual([
      409,
      `there is a trigger of the name "${String(one['name'])}" already`,
    ]);
    const unknown = await api.call('POST', BASE, { json: body({ target_name: 'nobody.knows' }), headers });
    expect(unknown.body['warnings']).toEqual([
      'no live worker knows handler task:nobody.knows; its runs wait for one that does',
    ]);
    const none = '01890000-0000-7000-8000-000000000000';
    expect((await api.call('GET', `${BASE}/${none}/deliveries`, { headers })).status).toBe(404);
  });

  it('asks for a key', async () => {
    expect((await api.call('GET', BASE)).status).toBe(401);
    expect((await api.call('GET', '/api/v1/webhooks')).status).toBe(401);
  });

  it.each<[Record<string, unknown>, string]>([
    [{ name: 'Hook One' }, 'name'],
    [{ source: { type: 'webhook', secret_ref: 'plain' } }, 'source.secret_ref'],
    [{ source: { type: 'smtp' } }, 'source.type'],
    [{ filter: '1 +' }, 'filter'],
    [{ param_mapping: { x: '$..x' } }, 'param_mapping.x'],
    [{ state: 'paused' }, 'state'],
  ])('%j is refused', async (more, field) => {
    const answer = await api.call('POST', BASE, { json: body(more), headers });
    expect([answer.status, listIn(answer.body['errors'])[0]?.['field']]).toEqual([400, field]);
  });
});
