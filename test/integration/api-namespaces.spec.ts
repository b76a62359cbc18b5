/** Keys that are confined to a namespace: their own runs with all that belongs to them, and nothing else. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { newId } from '@spine/core';
import type { Scope } from '@spine/core';
import { createPool } from '@spine/database';
import type { HandlerRegistry } from '@spine/execution';
import { waitFor } from '@spine/testing';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Answer, Api, CallInit, Json } from './api-support.ts';

const ADMIN = randomKey();
const ALL: readonly Scope[] = ['read', 'submit', 'operate'];

let api: Api;
let a: string;
let b: string;
let runA: string;
let runB: string;
let failedA: string;
let failedB: string;

function call(key: string, method: string, path: string, init: CallInit = {}): Promise<Answer> {
  return api.call(method, `/api/v1${path}`, { ...init, headers: { 'x-api-key': key, ...init.headers } });
}

async function keyOf(namespace: string, scopes: readonly Scope[] = ALL): Promise<string> {
  const { body } = await call(ADMIN, 'POST', '/keys', { json: { name: namespace, scopes, namespace } });
  return String(body['data']?.['key']);
}

async function submit(key: string, spec: object): Promise<string> {
  const { status, body, text } = await call(key, 'POST', '/runs', { json: spec });
  expect([200, 202], text).toContain(status);
  return String(body['data']?.['run_id']);
}

const ended = async (runId: string): Promise<Json> => {
  let data: Json = {};
  await waitFor(async () => {
    data = (await call(ADMIN, 'GET', `/runs/${runId}`)).body['data'] ?? {};
    return String(data['completed_at']) !== 'null';
  });
  return data;
};

const idsIn = (answer: Answer, name = 'run_id'): string[] =>
  listIn(answer.body['data']).map((item) => String(item[name]));

/** A handler that starts a run. */
function registerParent(registry: HandlerRegistry): void {
  registry.registerTask(
    'parent',
    { description: 'Starts a run.', params: z.strictObject({}), tags: [] },
    async (_params, ctx) => {
      const { type } = await ctx.submit({ kind: 'task', name: 'echo' });
      return { type };
    },
  );
}

beforeAll(async () => {
  api = await startApi({ keys: [ADMIN], register: registerParent });
  [a, b] = await Promise.all([keyOf('team-a'), keyOf('team-b')]);
  runA = await submit(a, { kind: 'task', name: 'parent', params: {} });
  runB = await submit(b, { kind: 'task', name: 'echo', params: { from: 'b' } });
  failedA = await submit(a, { kind: 'task', name: 'fail', max_retries: 0 });
  failedB = await submit(b, { kind: 'task', name: 'fail', max_retries: 0 });
  await api.startWorker();
  await Promise.all([runA, runB, failedA, failedB].map(ended));
});
afterAll(() => api.close());

describe('a run', () => {
  it('is of the namespace of the key that submitted it, and says which key that was', async () => {
    const { body } = await call(ADMIN, 'GET', `/runs/${runA}`);
    const submittedBy = String(body['data']?.['submitted_by']);
    expect(body['data']).toMatchObject({ namespace: 'team-a' });
    expect(submittedBy).toMatch(/^key:[0-9a-f-]{36}$/);
    const events = await call(a, 'GET', `/runs/${runA}/events`);
    expect(listIn(events.body['data'])[0]).toMatchObject({
      event_type: 'submitted',
      data: { submitted_by: submittedBy },
    });
    const own = await submit(ADMIN, { kind: 'task', name: 'echo' });
    const mine = (await call(ADMIN, 'GET', `/runs/${own}`)).body['data'];
    expect(mine).toMatchObject({ namespace: null, submitted_by: 'static:1' });
  });

  it('cannot be put anywhere else by its spec', async () => {
    for (const field of ['namespace', 'submitted_by', 'status', 'epoch', 'attempt', 'run_id']) {
      const json = { kind: 'task', name: 'echo', [field]: field === 'namespace' ? 'team-b' : 1 };
      const { status, body } = await call(a, 'POST', '/runs', { json });
      expect(status, field).toBe(400);
      expect(listIn(body['errors'])).toMatchObject([{ field, code: 'unknown_field' }]);
    }
    const json = { runs: [{ kind: 'task', name: 'echo', namespace: 'team-b' }] };
    const batch = await call(a, 'POST', '/runs/batch', { json });
    expect(batch.body['data']).toMatchObject({ refused: 1 });
  });

  it('gives its namespace to what it starts, and to what does it again', async () => {
    const children = await call(a, 'GET', `/runs?parent_run_id=${runA}`);
    expect(listIn(children.body['data'])).toMatchObject([
      { name: 'echo', namespace: 'team-a', submitted_by: null },
    ]);
    const retried = await call(a, 'POST', `/runs/${failedA}/retry`);
    const again = await call(a, 'GET', `/runs/${String(retried.body['data']?.['run_id'])}`);
    expect(again.body['data']).toMatchObject({ namespace: 'team-a', retry_of_run_id: failedA });
  });

  it('is done again in its namespace also when its parent is gone', async () => {
    const parent_run_id = await submit(a, { kind: 'task', name: 'echo' });
    const spec = {
      kind: 'task',
      name: 'fail',
      max_retries: 0,
      dead_letter: false,
      parent_run_id,
      tags: ['orphan'],
    };
    const orphans = [await submit(a, spec), await submit(a, spec)];
    await Promise.all([parent_run_id, ...orphans].map(ended));
    const owner = createPool({ connectionString: api.database.connectionString, role: null });
    await owner.query('DELETE FROM runs WHERE id = $1', [parent_run_id]).finally(() => owner.end());
    const many = await call(a, 'POST', '/runs/retry', { json: { filter: { tag: 'orphan' } } });
    const one = await call(a, 'POST', `/runs/${String(orphans[0])}/retry`);
    const again = [
      ...listIn(many.body['data']?.['items']).map((item) => String(item['run_id'])),
      String(one.body['data']?.['run_id']),
    ];
    expect(again).toHaveLength(3);
    for (const runId of again) {
      const { body } = await call(a, 'GET', `/runs/${runId}`);
      expect(body['data']).toMatchObject({ namespace: 'team-a', name: 'fail' });
    }
  });

  it('has parents of its own namespace only', async () => {
    for (const parent_run_id of [runB, newId()]) {
      const { status, body } = await call(a, 'POST', '/runs', {
        json: { kind: 'task', name: 'echo', parent_run_id },
      });
      expect(status).toBe(400);
      expect(listIn(body['errors'])).toMatchObject([{ field: 'parent_run_id', code: 'not_found' }]);
    }
    const child = await submit(a, { kind: 'task', name: 'echo', parent_run_id: runA });
    expect((await ended(child))['parent_run_id']).toBe(runA);
  });
});

describe('idempotency, singleton and concurrency keys', () => {
  it('of two namespaces never meet', async () => {
    const spec = (n: number) => ({ kind: 'task', name: 'echo', params: { n }, idempotency_key: 'shared' });
    const [first, second, third] = [
      await submit(a, spec(1)),
      await submit(b, spec(2)),
      await submit(ADMIN, spec(3)),
    ];
    expect(new Set([first, second, third]).size).toBe(3);
    expect([await submit(a, spec(1)), await submit(b, spec(2)), await submit(ADMIN, spec(3))]).toEqual([
      first,
      second,
      third,
    ]);
    const conflict = await call(a, 'POST', '/runs', { json: spec(2) });
    expect(conflict.status).toBe(409);
    expect(conflict.text).toContain(first);
    // Two of one batch, told apart although they go to the database in one statement.
    const json = { runs: [spec(1), { kind: 'task', name: 'echo' }] };
    const batch = await call(a, 'POST', '/runs/batch', { json });
    expect(listIn(batch.body['data']?.['items'])[0]).toMatchObject({ outcome: 'existing', run_id: first });
  });

  it('cannot push another namespace’s run aside', async () => {
    const run_after = new Date(Date.now() + 3_600_000).toISOString();
    const spec = { kind: 'task', name: 'echo', singleton_key: 'turn', run_after };
    const [waitsA, waitsB] = [await submit(a, spec), await submit(b, spec)];
    const status = async (id: string) => (await call(ADMIN, 'GET', `/runs/${id}`)).body['data']?.['status'];
    expect([await status(waitsA), await status(waitsB)]).toEqual(['pending', 'pending']);
    const next = await submit(b, spec);
    expect([await status(waitsA), await status(waitsB), await status(next)]).toEqual([
      'pending',
      'cancelled',
      'pending',
    ]);
  });
});

describe('another namespace’s run', () => {
  it('is not there: every endpoint that names it answers as for an id without a run', async () => {
    const confined = api.app.routes.filter(
      ({ method, pattern }) => api.app.access.of(method, pattern)?.confinement === 'run',
    );
    expect(confined.length).toBeGreaterThan(12);
    for (const { method, pattern } of confined) {
      const path = (id: string) => pattern.replace(':run_id', id).replaceAll(/:[a-z_]+/g, 'x');
      const headers = { 'x-api-key': a };
      const missing = newId();
      const [theirs, nobodys] = [
        await api.call(method, path(runB), { headers }),
        await api.call(method, path(missing), { headers }),
      ];
      expect(theirs.status, `${method} ${pattern}`).toBe(404);
      expect(nobodys.status).toBe(404);
      expect(theirs.body['detail']).toEqual(
        method === 'HEAD' ? undefined : `run ${JSON.stringify(runB)} does not exist`,
      );
    }
    expect((await ended(runB))['status']).toBe('completed');
  });

  it('is in no list, count or bulk action', async () => {
    const seen = idsIn(await call(a, 'GET', '/runs?limit=1000'));
    expect(seen).toContain(runA);
    expect(seen).not.toContain(runB);
    const everything = await call(ADMIN, 'GET', '/runs?limit=1000');
    expect(idsIn(everything)).toEqual(expect.arrayContaining([runA, runB]));
    const page = await call(a, 'GET', '/runs?limit=1');
    expect(page.body['page']?.['total']).toBe(seen.length);
    for (const path of ['/stats/runs', '/stats/handlers', '/stats/runs/history']) {
      const [own, all] = [await call(a, 'GET', path), await call(ADMIN, 'GET', path)];
      expect([own.status, all.status]).toEqual([200, 200]);
      expect(own.body['data']).not.toEqual(all.body['data']);
    }
    const stats = await call(a, 'GET', '/stats/runs');
    expect(stats.body['data']?.['runs']).toBe(seen.length);
    for (const path of ['/runs/cancel', '/runs/retry']) {
      const { body } = await call(a, 'POST', path, { json: { filter: {}, dry_run: true } });
      const ids = listIn(body['data']?.['items']).map((item) =>
        String(item['run_id'] === null ? item['retry_of_run_id'] : item['run_id']),
      );
      for (const id of ids) expect(seen).toContain(id);
    }
  });

  it('sends no event', async () => {
    const events = async (query: string, key: string): Promise<string> => {
      const gone = new AbortController();
      const response = await fetch(`${api.url}/api/v1/events/stream?last_event_id=0${query}`, {
        headers: { 'x-api-key': key },
        signal: gone.signal,
      });
      if (response.body === null || response.status !== 200) return String(response.status);
      let text = '';
      const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
      while (!text.includes(failedA) || !text.includes('dead_lettered')) {
        const { done, value } = await reader.read();
        if (done) break;
        text += value;
      }
      gone.abort();
      return text;
    };
    const own = await events('', a);
    expect(own).toContain(runA);
    expect(own).not.toContain(runB);
    expect(own).not.toContain(failedB);
    expect(await events(`&run_id=${runB}`, a)).toBe('404');
    expect(await events('', ADMIN)).toContain(runB);
  });

  it('leaves a dead letter that is not there either', async () => {
    const letters = await call(ADMIN, 'GET', '/dlq');
    const letterOf = (runId: string): Json =>
      listIn(letters.body['data']).find((letter) => String(letter['run_id']) === runId) ?? {};
    expect(letterOf(failedB)).toMatchObject({ namespace: 'team-b' });
    const own = await call(a, 'GET', '/dlq');
    expect(idsIn(own)).toContain(failedA);
    expect(new Set(idsIn(own, 'namespace'))).toEqual(new Set(['team-a']));
    const theirs = String(letterOf(failedB)['dead_letter_id']);
    expect((await call(a, 'GET', `/dlq/${theirs}`)).status).toBe(404);
    expect((await call(a, 'POST', `/dlq/${theirs}/replay`)).status).toBe(404);
    expect((await call(a, 'POST', `/dlq/${theirs}/resolve`)).status).toBe(404);
    const bulk = await call(a, 'POST', '/dlq/resolve', { json: { filter: {}, dry_run: true } });
    expect(bulk.text).not.toContain(theirs);
    const stats = await call(b, 'GET', '/dlq/stats');
    expect(stats.body['data']).toMatchObject({ pending: 1 });
    const replayed = await call(b, 'POST', `/dlq/${theirs}/replay`);
    const again = await call(b, 'GET', `/runs/${String(replayed.body['data']?.['run_id'])}`);
    expect(again.body['data']).toMatchObject({ namespace: 'team-b' });
    const resolved = (await call(b, 'GET', `/dlq/${theirs}`)).body['data'];
    expect(String(resolved?.['resolved_by'])).toMatch(/^key:/);
  });
});

describe('everything that is not about runs of one namespace', () => {
  it('is refused, with the reason', async () => {
    const key = await keyOf('team-a', ['read', 'submit', 'operate', 'admin']);
    const refused = api.app.routes.filter(({ method, pattern }) => {
      const access = api.app.access.of(method, pattern);
      return access !== undefined && access.confinement === undefined && access.scope !== 'open';
    });
    const keyed = refused.filter(
      ({ method, pattern }) => api.app.access.of(method, pattern)?.scope !== 'signed',
    );
    expect(keyed.length).toBeGreaterThan(80);
    for (const { method, pattern } of keyed) {
      const path = pattern.replaceAll(/:[^/]+/g, newId()).replaceAll('*', 'x.js');
      const answer = await api.call(method, path, { headers: { 'x-api-key': key } });
      expect(answer.status, `${method} ${pattern}`).toBe(403);
      if (method !== 'HEAD')
        expect(String(answer.body['detail'])).toContain('confined to the namespace team-a');
    }
  });

  it('but what is the same for everybody is shown', async () => {
    for (const path of ['/api/v1/functions', '/api/v1/capabilities', '/docs/openapi.json', '/health']) {
      expect((await api.call('GET', path, { headers: { 'x-api-key': a } })).status, path).toBe(200);
    }
    expect((await call(a, 'GET', '/nothing')).status).toBe(404);
  });
});

describe('an admin key of a namespace', () => {
  it('makes and changes keys of its namespace and no others', async () => {
    const key = await keyOf('team-a', ['admin']);
    const made = await call(key, 'POST', '/keys', { json: { name: 'n', scopes: ['read'] } });
    expect(made.body['data']).toMatchObject({ namespace: 'team-a' });
    for (const namespace of ['team-b', null]) {
      const json = { name: 'n', scopes: ['read'], namespace };
      expect((await call(key, 'POST', '/keys', { json })).status).toBe(403);
    }
    const all = listIn((await call(ADMIN, 'GET', '/keys')).body['data']);
    const theirs = String(all.find((each) => String(each['namespace']) === 'team-b')?.['key_id']);
    const own = listIn((await call(key, 'GET', '/keys')).body['data']);
    expect(own.length).toBeGreaterThan(1);
    expect(new Set(own.map((each) => String(each['namespace'])))).toEqual(new Set(['team-a']));
    expect((await call(key, 'GET', `/keys/${theirs}`)).status).toBe(404);
    for (const action of ['rotate', 'revoke']) {
      expect((await call(key, 'POST', `/keys/${theirs}/${action}`)).status).toBe(404);
    }
  });
});
