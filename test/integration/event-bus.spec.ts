/** The event bus in a running engine: faults of what carries it, events of runs, POST /events/publish. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { createPool, notifyEventBus, sweepEventBus } from '@spine/database';
import type { Pool } from '@spine/database';
import { EventBusUnavailableError, PostgresEventBus, RedisEventBus } from '@spine/execution';
import type { BusEvent, GapReason } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { createTestDatabase, startRedisServer, waitFor } from '@spine/testing';
import type { TestDatabase } from '@spine/testing';
import { runWithStatus, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { planOf, sentBy } from './plan-support.ts';

describe('the bus on Postgres', () => {
  let database: TestDatabase;
  let pool: Pool;
  let admin: Pool;
  beforeAll(async () => {
    database = await createTestDatabase();
    pool = createPool({ connectionString: database.connectionString });
    admin = createPool({ connectionString: database.connectionString, role: null });
  });
  afterAll(async () => {
    await Promise.all([pool.end(), admin.end()]);
    await database.drop();
  });

  const makeBus = (applicationName: string) =>
    new PostgresEventBus({
      db: pool,
      connectionString: database.connectionString,
      applicationName,
      logger: silentLogger(),
    });

  it('comes back when its connection is cut, tells of the gap, and goes on', async () => {
    const bus = makeBus('bus-to-cut');
    const got: unknown[] = [];
    const gaps: GapReason[] = [];
    await bus.subscribe('a.*', ({ data }) => void got.push(data), { onGap: (reason) => gaps.push(reason) });
    await bus.publish({ type: 'a.b', source: 'test', data: 'before' });
    await waitFor(() => got.length === 1);
    await admin.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'bus-to-cut'`,
    );
    await waitFor(() => gaps.length > 0);
    await bus.publish({ type: 'a.b', source: 'test', data: 'after' });
    await waitFor(() => got.length === 2);
    expect(got).toEqual(['before', 'after']);
    expect(gaps).toEqual(['reconnected']);
    await bus.close();
  });

  it('passes over what Spine did not write, and tells of an event whose row is gone', async () => {
    const bus = makeBus('bus-strange');
    const got: BusEvent[] = [];
    const gaps: GapReason[] = [];
    await bus.subscribe('**', (event) => void got.push(event), { onGap: (reason) => gaps.push(reason) });
    for (const text of ['', 'not json', '[]', '{"type":"a"}', '{"__proto__":{}}', 'row:x']) {
      await notifyEventBus(pool, newId(), text);
    }
    await notifyEventBus(pool, newId(), `row:${newId()}`);
    await bus.publish({ type: 'a', source: 'test', data: 'good' });
    await waitFor(() => got.length > 0);
    expect(got.map(({ data }) => data)).toEqual(['good']);
    expect(gaps).toEqual(['overflow', 'overflow']);
    await bus.close();
  });

  it('keeps large events for ten minutes, in a table that it sweeps by an index', async () => {
    const large = 'x'.repeat(10_000);
    const count = async () =>
      (await admin.query<{ n: number }>('SELECT count(*)::int AS n FROM event_bus_payloads')).rows[0]?.n;
    await notifyEventBus(pool, newId(), 'small');
    expect(await count()).toBe(0);
    await notifyEventBus(pool, newId(), large);
    expect(await count()).toBe(1);
    await admin.query(`UPDATE event_bus_payloads SET created_at = now() - interval '9 minutes'`);
    await notifyEventBus(pool, newId(), large);
    expect(await count()).toBe(2);
    await admin.query(`UPDATE event_bus_payloads SET created_at = now() - interval '11 minutes'`);
    await notifyEventBus(pool, newId(), large);
    expect(await count()).toBe(1);
    await admin.query(
      `INSERT INTO event_bus_payloads SELECT gen_random_uuid(), 'x', now() FROM generate_series(1, 5000)`,
    );
    await admin.query('ANALYZE event_bus_payloads');
    const [sweep] = await sentBy(sweepEventBus);
    if (sweep === undefined) throw new Error('nothing was sent');
    const plan = await planOf(pool, 'force_generic_plan', sweep);
    expect(plan.seqScans).toEqual([]);
    expect(plan.indexes).toContain('event_bus_payloads_created');
  });

  it('of a database that is away is unavailable, and keeps no subscription', async () => {
    const gone = createPool({ connectionString: 'postgres://127.0.0.1:1/x' });
    const bus = new PostgresEventBus({
      db: gone,
      connectionString: 'postgres://127.0.0.1:1/x',
      applicationName: 'bus-gone',
      logger: silentLogger(),
      answerMs: 50,
    });
    await expect(bus.publish({ type: 'a', source: 'test' })).rejects.toThrow(EventBusUnavailableError);
    await expect(bus.subscribe('a', () => undefined)).rejects.toThrow('could not be reached within 50 ms');
    await bus.close();
    await gone.end();
  });
});

describe('the bus on Redis', () => {
  it('refuses at once while Redis is away, comes back with it, and tells of the gap', async () => {
    const server = await startRedisServer();
    const bus = new RedisEventBus({ url: server.url, logger: silentLogger(), answerMs: 2_000 });
    const got: unknown[] = [];
    const gaps: GapReason[] = [];
    try {
      await bus.subscribe('a', ({ data }) => void got.push(data), { onGap: (reason) => gaps.push(reason) });
      await bus.publish({ type: 'a', source: 'test', data: 'before' });
      await waitFor(() => got.length === 1);
      await server.kill();
      const refused = () =>
        bus.publish({ type: 'a', source: 'test', data: 'lost' }).then(
          () => false,
          (error: unknown) => error instanceof EventBusUnavailableError,
        );
      await waitFor(refused);
      await server.restart();
      await waitFor(() => gaps.length > 0);
      const sent = () =>
        bus.publish({ type: 'a', source: 'test', data: 'after' }).then(
          () => true,
          () => false,
        );
      await waitFor(sent);
      await waitFor(() => got.includes('after'));
      expect(got).not.toContain('lost');
      expect(new Set(gaps)).toEqual(new Set(['reconnected']));
    } finally {
      await bus.close();
      await server.stop();
    }
  });

  it('that was never there is unavailable, and keeps no subscription', async () => {
    const bus = new RedisEventBus({ url: 'redis://127.0.0.1:1', logger: silentLogger(), answerMs: 50 });
    await expect(bus.subscribe('a', () => undefined)).rejects.toThrow(EventBusUnavailableError);
    await expect(bus.publish({ type: 'a', source: 'test' })).rejects.toThrow(EventBusUnavailableError);
    await bus.close();
  });
});

/** The frames of a stream until one holds `text`. */
async function framesUntil(response: Response, text: string): Promise<string> {
  const decoder = new TextDecoder();
  let seen = '';
  for await (const chunk of response.body ?? []) {
    seen += decoder.decode(chunk as Uint8Array, { stream: true });
    if (seen.includes(text) && seen.endsWith('\n\n')) return seen;
  }
  throw new Error(`the stream ended without ${text}: ${seen}`);
}

describe('in an API', () => {
  let api: Api;
  beforeAll(async () => {
    api = await startApi();
    await api.startWorker();
  });
  afterAll(() => api.close());

  const publish = (json: unknown) => api.call('POST', '/api/v1/events/publish', { json });

  it('events of runs reach subscribers as run.*, by the database and not by publishing', async () => {
    const got: BusEvent[] = [];
    const all: BusEvent[] = [];
    const subscription = await api.engine.eventBus.subscribe('run.*', (event) => void got.push(event));
    await api.engine.eventBus.subscribe('user.**', (event) => void all.push(event));
    const submitted = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'task', name: 'echo', params: { message: 'hello' } },
    });
    const runId = String(submitted.body['data']?.['run_id']);
    await runWithStatus(api, runId, 'completed');
    await waitFor(() => got.some(({ type }) => type === 'run.completed'));
    const mine = got.filter(({ data }) => (data as { run_id: string }).run_id === runId);
    expect(mine.map(({ type }) => type)).toEqual(['run.submitted', 'run.started', 'run.completed']);
    expect(mine.at(-1)?.data).toMatchObject({ run_id: runId, terminal: true });
    expect(all).toEqual([]);
    subscription.unsubscribe();
    await waitFor(async () => (await api.engine.eventStreams.status()).streams === 0);
    await expect(api.engine.eventBus.publish({ type: 'run.completed', source: 'x' })).rejects.toMatchObject({
      issues: [{ field: 'type', code: 'reserved_event_type' }],
    });
  });

  it('published events reach subscribers and streams, without a cursor', async () => {
    const got: BusEvent[] = [];
    await api.engine.eventBus.subscribe('user.report.*', (event) => void got.push(event));
    const abort = new AbortController();
    const stream = await fetch(`${api.url}/api/v1/events/stream`, { signal: abort.signal });
    const answer = await publish({ type: 'user.report.ready', data: { rows: 3 }, source: 'nightly/report' });
    expect(answer.status).toBe(202);
    const event: Json = answer.body['data'] ?? {};
    expect(event).toMatchObject({ type: 'user.report.ready', source: 'nightly/report', data: { rows: 3 } });
    const frames = await framesUntil(stream, 'user.report.ready');
    expect(frames).toContain(`event: published\ndata: ${JSON.stringify(event)}\n\n`);
    const [block] = frames.split('\n\n').filter((each) => each.includes('published'));
    expect(block).not.toMatch(/^id:/m);
    await waitFor(() => got.length === 1);
    expect(got[0]).toMatchObject({ eventId: event['event_id'], data: { rows: 3 } });
    abort.abort();
  });

  it.each([
    ['a type of Spine', { type: 'run.completed' }, 'type'],
    ['no type', { data: 1 }, 'type'],
    ['a pattern', { type: 'user.*' }, 'type'],
    ['the prefix alone', { type: 'user' }, 'type'],
    ['an unknown field', { type: 'user.a', tpye: 1 }, 'tpye'],
    ['a source nobody can read', { type: 'user.a', source: 'a\nb' }, 'source'],
    ['too much data', { type: 'user.a', data: 'x'.repeat(256 * 1024) }, 'data'],
  ])('refuses %s and names the field', async (_what, body, field) => {
    const answer = await publish(body);
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body['errors'])).toContain(`"field":"${field}"`);
  });

  it('says how types of clients begin', async () => {
    const answer = await publish({ type: 'report.ready' });
    expect(answer.body['detail']).toBe('type: must begin with "user."; given "report.ready"');
  });
});

describe('in an API whose Redis is away, where publishing is switched off', () => {
  let api: Api;
  let off: Api;
  beforeAll(async () => {
    api = await startApi({ redisUrl: 'redis://127.0.0.1:1' });
    off = await startApi({ env: { SPINE_FF_PUBLISH_EVENTS: 'false' } });
  });
  afterAll(() => Promise.all([api.close(), off.close()]));

  it('publishing is unavailable, or refused', async () => {
    const json = { type: 'user.a' };
    const away = await api.call('POST', '/api/v1/events/publish', { json });
    expect(away.status).toBe(503);
    expect(away.body['code']).toBe('UNAVAILABLE');
    expect(away.headers.get('retry-after')).not.toBeNull();
    const refused = await off.call('POST', '/api/v1/events/publish', { json });
    expect(refused.status).toBe(403);
    expect(refused.body['detail']).toContain('SPINE_FF_PUBLISH_EVENTS');
  });

  it('stored events are followed all the same', async () => {
    const abort = new AbortController();
    const stream = await fetch(`${api.url}/api/v1/events/stream`, { signal: abort.signal });
    const submitted = await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' } });
    expect(submitted.status).toBe(202);
    expect(await framesUntil(stream, 'submitted')).toContain(String(submitted.body['data']?.['run_id']));
    abort.abort();
  });
});
