/**
 * Secrets of careless handlers: what `ctx.secret` gave and what params hold under the name of a secret is in no log line,
 * event, error, dead letter, metric or answer, wherever the handler puts it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { openProcessSettings } from '@spine/config';
import { createPool } from '@spine/database';
import { Worker } from '@spine/execution';
import type { HandlerContext, HandlerRegistry } from '@spine/execution';
import { createLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { ADMIN, canary } from './probes-support.ts';
import { listIn, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';

/** Behind characters that JSON and URLs write otherwise. */
const SECRET = `${canary()}"/ü&`;
const PARAM = canary();
const FORMS = [SECRET, JSON.stringify(SECRET).slice(1, -1), encodeURIComponent(SECRET), PARAM];

const logged: string[] = [];
let api: Api;
let worker: Worker;
let failed: string;
let completed: string;
let published: string;

const params = z.strictObject({ password: z.string(), nested: z.strictObject({ api_key: z.string() }) });

/** Says all it knows wherever something can be said. */
async function tell(given: z.infer<typeof params>, ctx: HandlerContext): Promise<string> {
  const key = (await ctx.secret('feed_key')).reveal();
  const all = `logs in with ${key}, ${given.password} at https://feed/?k=${encodeURIComponent(key)}`;
  ctx.log.info({ all, deep: { list: [{ all }] } }, all);
  ctx.log.warn({ err: new Error(all) });
  ctx.log.child({ all }).error(all);
  await ctx.event('told', { all, given });
  ctx.progress(1, all);
  return all;
}

class LoginError extends Error {
  constructor(all: string) {
    super(`${'long '.repeat(10)}${all}`);
    this.name = `LoginError ${all}`;
  }
}

function register(registry: HandlerRegistry): void {
  const options = { description: 'Careless.', params, tags: [] };
  registry
    .registerTask('careless_fail', options, async (given, ctx) => {
      throw new LoginError(await tell(given, ctx));
    })
    .registerTask('careless', options, async (given, ctx) => ({ all: await tell(given, ctx) }))
    .registerTask('careless_publish', options, async (given, ctx) => {
      const all = await tell(given, ctx);
      return await ctx.publish(() => Promise.resolve({ all }));
    });
}

const call = (method: string, path: string, json?: unknown) =>
  api.call(method, path, { headers: { 'x-api-key': ADMIN }, ...(json === undefined ? {} : { json }) });

async function submit(name: string): Promise<string> {
  const json = {
    kind: 'task',
    name,
    lane: 'careless',
    max_retries: 0,
    params: { password: PARAM, nested: { api_key: PARAM } },
  };
  const { body, text, status } = await call('POST', '/api/v1/runs', json);
  expect(status, text).toBe(202);
  expect(text).not.toContain(PARAM);
  return String(body['data']?.['run_id']);
}

beforeAll(async () => {
  const logger = createLogger({
    service: 'api',
    level: 'trace',
    destination: { write: (line: string) => void logged.push(line) },
  });
  api = await startApi({ keys: [ADMIN], logger, register, env: { SPINE_LANES: 'careless' } });
  const { secrets } = await openProcessSettings({
    role: 'worker',
    cwd: import.meta.dirname,
    home: import.meta.dirname,
    env: { SPINE_DATABASE_URL: api.database.connectionString, SPINE_SECRET_FEED_KEY: SECRET },
  });
  worker = new Worker({
    ...api.engine,
    secrets,
    lanes: ['careless'],
    slots: 5,
    pollMs: 100,
    eagerStart: false,
  });
  await worker.start();
  [failed, completed, published] = [
    await submit('careless_fail'),
    await submit('careless'),
    await submit('careless_publish'),
  ];
  for (const id of [failed, completed, published]) {
    await waitFor(async () => {
      const { body } = await call('GET', `/api/v1/runs/${id}`);
      return String(body['data']?.['completed_at']) !== 'null';
    });
  }
});
afterAll(async () => {
  await worker.stop(0);
  await api.close();
});

function leaks(text: string): string[] {
  return FORMS.filter((form) => text.includes(form));
}

describe('secrets of careless handlers', () => {
  it('are in no line of a log, though the lines are there', () => {
    const text = logged.join('');
    expect(text).toContain('logs in with [REDACTED]');
    expect(leaks(text)).toEqual([]);
    for (const line of logged) expect(line).toMatch(/^\{.*\}\n$/);
  });

  it('are in no table but the params they came with', async () => {
    const pool = createPool({ connectionString: api.database.connectionString, role: null });
    const { rows } = await pool.query<{ name: string }>(
      `SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'`,
    );
    const found: string[] = [];
    for (const { name } of rows) {
      const { rows: held } = await pool.query<{ text: string }>(
        `SELECT (to_jsonb(t) - 'params')::text AS text FROM "${name}" t`,
      );
      if (leaks(held.map(({ text }) => text).join('\n')).length > 0) found.push(name);
    }
    const { rows: kept } = await pool.query<{ params: unknown }>('SELECT params FROM runs');
    await pool.end();
    expect(found).toEqual([]);
    // What is to run has to be there: it is what a retry and a replay start from.
    expect(JSON.stringify(kept)).toContain(PARAM);
    expect(JSON.stringify(kept)).not.toContain(SECRET.slice(0, 20));
  });

  it('are in no answer: run, events, logs, dead letter, lists, explanation, metrics, stream', async () => {
    const letters = await call('GET', '/api/v1/dlq');
    const letter = String(listIn(letters.body['data'])[0]?.['dead_letter_id']);
    const paths = [
      ...[failed, completed, published].flatMap((id) =>
        ['', '/events', '/logs', '/explain'].map((rest) => `/api/v1/runs/${id}${rest}`),
      ),
      '/api/v1/runs',
      '/api/v1/dlq',
      `/api/v1/dlq/${letter}`,
      '/api/v1/dlq/stats',
      '/api/v1/stats/dashboard',
      '/metrics',
      `/api/v1/events/stream?run_id=${failed}&last_event_id=0&until_terminal=true`,
    ];
    for (const path of paths) {
      const { status, text } = await call('GET', path);
      expect([status, leaks(text)], path).toEqual([200, []]);
    }
    const run = (await call('GET', `/api/v1/runs/${failed}`)).body['data'];
    expect(run).toMatchObject({
      params: { password: '[REDACTED]', nested: { api_key: '[REDACTED]' } },
      error: { message: expect.stringContaining('logs in with [REDACTED], [REDACTED] at') as string },
    });
    const done = (await call('GET', `/api/v1/runs/${published}`)).body['data'];
    expect(done).toMatchObject({ result: { all: expect.stringContaining('[REDACTED]') as string } });
  });

  it('of params that were refused are not told back', async () => {
    const json = {
      kind: 'task',
      name: 'careless',
      params: { password: PARAM, nested: { api_key: [PARAM] } },
    };
    const refused = await call('POST', '/api/v1/runs', json);
    expect([refused.status, leaks(refused.text)]).toEqual([400, []]);
    const key = await call('POST', '/api/v1/runs', { kind: 'task', name: 'echo', api_key: PARAM });
    expect([key.status, leaks(key.text)]).toEqual([400, []]);
    expect(leaks(logged.join(''))).toEqual([]);
  });

  it('are still what a retry starts with', async () => {
    const { body } = await call('POST', `/api/v1/runs/${failed}/retry`);
    const pool = createPool({ connectionString: api.database.connectionString, role: null });
    const { rows } = await pool.query('SELECT params FROM runs WHERE id = $1', [
      String(body['data']?.['run_id']),
    ]);
    await pool.end();
    expect(rows).toEqual([{ params: { password: PARAM, nested: { api_key: PARAM } } }]);
  });
});
