/** The endpoints about gates: explanations, limits, circuit breakers. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { waitFor } from '@spine/testing';
import { anyNumber, anyText, listIn, runWithStatus, startApi, textLike } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { claimWithGates } from './gates-support.ts';

let api: Api;
let admin: Pool;
beforeAll(async () => {
  api = await startApi();
  admin = createPool({ connectionString: api.database.connectionString, role: null, max: 2 });
});
beforeEach(() =>
  admin.query('TRUNCATE runs, run_events, gate_states, concurrency_holds, gate_waiters, breakers, workers'),
);
afterAll(async () => {
  await admin.end();
  await api.close();
});

async function submit(more: object = {}): Promise<string> {
  const answer = await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo', ...more } });
  expect([answer.status, answer.text]).toEqual([202, answer.text]);
  return String(answer.body['data']?.['run_id']);
}

const KEY = { concurrency: [{ key: 'tenant:7', limit: 1 }] };
const RATE = { rate_limits: [{ key: 'api', limit: 2, per_seconds: 3_600 }] };

describe('a spec with gates', () => {
  it('is accepted, and its run waits for them', async () => {
    const [first, second] = [await submit(KEY), await submit(KEY)];
    const { claimed } = await claimWithGates(api.engine.gatePool, [first, second]);
    expect(claimed.map(({ runId }) => runId)).toEqual([first]);
    const explained = await api.call('GET', `/api/v1/runs/${second}/explain`);
    expect([explained.status, explained.body['data']]).toEqual([
      200,
      {
        run_id: second,
        status: 'queued',
        waiting: true,
        checked_at: anyText,
        reasons: [
          { code: 'no_worker_for_lane', message: anyText, key: 'default' },
          {
            code: 'concurrency_limit',
            message: anyText,
            key: 'tenant:7',
            limit: 1,
            run_ids: [first],
            position: 1,
          },
        ],
      },
    ]);
  });

  it.each<[string, object]>([
    ['concurrency[0].limit', { concurrency: [{ key: 'k', limit: 0 }] }],
    ['concurrency[0].key', { concurrency: [{ limit: 1 }] }],
    ['concurrency[0].key', { concurrency: [{ key: 'x'.repeat(201), limit: 1 }] }],
    ['concurrency[0].size', { concurrency: [{ key: 'k', limit: 1, size: 2 }] }],
    [
      'concurrency',
      { concurrency: Array.from({ length: 6 }, (_, index) => ({ key: `k${index}`, limit: 1 })) },
    ],
    ['rate_limits[0].per_seconds', { rate_limits: [{ key: 'k', limit: 1, per_seconds: 0 }] }],
    [
      'rate_limits[0].algorithm',
      { rate_limits: [{ key: 'k', limit: 1, per_seconds: 1, algorithm: 'leaky' }] },
    ],
    [
      'rate_limits[0].burst',
      { rate_limits: [{ key: 'k', limit: 1, per_seconds: 1, algorithm: 'sliding_window', burst: 2 }] },
    ],
    ['breakers[0]', { breakers: ['Not a name'] }],
    ['gates', { gates: [{ type: 'concurrency', key: 'k', limit: 1 }] }],
  ])('that is wrong in %s is refused for it', async (field, more) => {
    const answer = await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo', ...more } });
    expect(answer.status).toBe(400);
    expect(listIn(answer.body['errors']).map((error) => error['field'])).toEqual([field]);
  });

  it('is run by a worker when its turn comes', async () => {
    const runIds = [await submit(KEY), await submit(KEY), await submit({ ...KEY, ...RATE })];
    const worker = await api.startWorker();
    try {
      for (const runId of runIds) await runWithStatus(api, runId, 'completed');
    } finally {
      await worker.stop(0);
    }
  });
});

describe('GET /runs/{id}/explain', () => {
  it('of a run that does not exist is 404, and takes no parameters', async () => {
    expect((await api.call('GET', `/api/v1/runs/${newId()}/explain`)).status).toBe(404);
    expect((await api.call('GET', '/api/v1/runs/nonsense/explain')).status).toBe(404);
    const runId = await submit();
    expect((await api.call('GET', `/api/v1/runs/${runId}/explain?verbose=1`)).status).toBe(400);
  });
});

describe('GET /limits', () => {
  it('lists keys with who holds them, who waits, and what is left of rates', async () => {
    const runIds = [];
    for (let count = 0; count < 3; count += 1) runIds.push(await submit({ ...KEY, ...RATE }));
    await claimWithGates(api.engine.gatePool, runIds);
    const { status, body } = await api.call('GET', '/api/v1/limits');
    expect(status).toBe(200);
    expect(body['page']).toMatchObject({ total: 2, has_more: false, next_cursor: null });
    expect(body['data']).toEqual([
      {
        type: 'concurrency',
        key: 'tenant:7',
        limit: 1,
        held: 1,
        run_ids: [runIds[0]],
        waiting: 2,
        rate: null,
        updated_at: anyText,
      },
      {
        type: 'rate',
        key: 'api',
        limit: null,
        held: 0,
        run_ids: [],
        waiting: 0,
        rate: {
          algorithm: 'token_bucket',
          limit: 2,
          per_seconds: 3_600,
          burst: 2,
          free: 1,
          next_at: anyText,
        },
        updated_at: anyText,
      },
    ]);
  });

  it('comes in pages, by type where one is asked for', async () => {
    for (const key of ['c', 'a b', 'b']) {
      await claimWithGates(api.engine.gatePool, [await submit({ concurrency: [{ key, limit: 1 }] })]);
    }
    await claimWithGates(api.engine.gatePool, [await submit({ singleton_key: 'a b' })]);
    const keys: string[] = [];
    for (let path = '/api/v1/limits?limit=1'; ;) {
      const { body } = await api.call('GET', path);
      keys.push(...listIn(body['data']).map((item) => `${String(item['type'])} ${String(item['key'])}`));
      const next: Json | undefined = body['page']?.['next_cursor'];
      if (typeof next !== 'string') break;
      path = `/api/v1/limits?limit=1&cursor=${String(next)}`;
    }
    expect(keys).toEqual(['concurrency a b', 'concurrency b', 'concurrency c', 'singleton a b']);
    const singletons = await api.call('GET', '/api/v1/limits?type=singleton');
    expect(singletons.body['data']).toMatchObject([{ type: 'singleton', held: 1, run_ids: [anyText] }]);
  });

  it.each(['?limit=0', '?limit=1001', '?type=breaker', '?cursor=nonsense', '?offset=1', '?key=a'])(
    'refuses %s',
    async (query) => {
      expect((await api.call('GET', `/api/v1/limits${query}`)).status).toBe(400);
    },
  );
});

describe('breakers', () => {
  const path = '/api/v1/breakers/edgar';

  it('are opened, kept closed and reset by operators, and say so', async () => {
    expect((await api.call('GET', path)).status).toBe(404);
    const opened = await api.call('POST', `${path}/open`, { json: { by: 'alice', note: 'maintenance' } });
    expect([opened.status, opened.body['data']]).toEqual([
      200,
      {
        name: 'edgar',
        state: 'open',
        forced: true,
        open_until: null,
        failures: 0,
        changed_by: 'alice',
        note: 'maintenance',
        probe_run_id: null,
        waiting: 0,
        updated_at: anyText,
      },
    ]);
    const runId = await submit({ breakers: ['edgar'] });
    await claimWithGates(api.engine.gatePool, [runId]);
    const listed = await api.call('GET', '/api/v1/breakers');
    expect(listed.body['data']).toMatchObject([{ name: 'edgar', waiting: 1 }]);
    expect(listed.body['page']).toMatchObject({ total: anyNumber, has_more: false });
    const closed = await api.call('POST', `${path}/close`);
    expect(closed.body['data']).toMatchObject({
      state: 'closed',
      forced: true,
      changed_by: 'api',
      note: null,
    });
    const reset = await api.call('POST', `${path}/reset`, { json: {} });
    expect(reset.body['data']).toMatchObject({ state: 'closed', forced: false });
    expect((await api.call('GET', path)).body['data']).toMatchObject({ name: 'edgar', state: 'closed' });
  });

  it('open for a time are tried after it', async () => {
    const opened = await api.call('POST', `${path}/open`, { json: { seconds: 60 } });
    expect(opened.body['data']).toMatchObject({ state: 'open', forced: false, open_until: anyText });
  });

  it('reach the workers: what names the dependency waits, and goes on when it is closed', async () => {
    await api.call('POST', `${path}/open`);
    const worker = await api.startWorker();
    try {
      const runId = await submit({ breakers: ['edgar'] });
      await waitFor(async () => (await admin.query('SELECT 1 FROM gate_waiters')).rows.length === 1);
      const { body } = await api.call('GET', `/api/v1/runs/${runId}/explain`);
      expect(body['data']?.['reasons']).toMatchObject([{ code: 'breaker_open', key: 'edgar', by: 'api' }]);
      await api.call('POST', `${path}/reset`);
      await runWithStatus(api, runId, 'completed');
    } finally {
      await worker.stop(0);
    }
  });

  it('have names of dependencies', async () => {
    for (const name of ['Edgar', '1x', 'x'.repeat(101), '%2e%2e']) {
      const answer = await api.call('POST', `/api/v1/breakers/${name}/open`);
      expect([name, answer.status]).toEqual([name, answer.status === 404 ? 404 : 400]);
    }
    const refused = await api.call('POST', '/api/v1/breakers/Edgar/open');
    expect(refused.body['errors']).toMatchObject([{ field: 'name', message: textLike(/lower-case letter/) }]);
  });

  it.each<[string, string, object]>([
    ['seconds', 'open', { seconds: 0 }],
    ['until', 'open', { until: 'tomorrow' }],
    ['seconds', 'close', { seconds: 5 }],
    ['by', 'reset', { by: '' }],
  ])('refuse %s in %s', async (field, order, json) => {
    const answer = await api.call('POST', `${path}/${order}`, { json });
    expect(answer.status).toBe(400);
    expect(listIn(answer.body['errors']).map((error) => error['field'])).toEqual([field]);
  });
});
