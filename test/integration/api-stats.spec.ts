/** Statistics, queues, workers and the dashboard over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { waitFor } from '@spine/testing';
import { anyNumber, anyText, listIn, runWithStatus, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { addPastRuns } from './history-support.ts';

let api: Api;
let admin: Pool;

beforeAll(async () => {
  api = await startApi();
  admin = createPool({ connectionString: api.database.connectionString, role: null, max: 1 });
  await addPastRuns(admin, { count: 3, minutesAgo: 90, durationMs: 20 });
  await addPastRuns(admin, { minutesAgo: 90, status: 'dead_lettered', name: 'fail' });
  await api.startWorker();
  const { body } = await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' } });
  await runWithStatus(api, String(body['data']?.['run_id']), 'completed');
  await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo', lane: 'unserved' } });
});
afterAll(async () => {
  await admin.end();
  await api.close();
});

const get = async (path: string): Promise<Json> => {
  const { status, body, text } = await api.call('GET', `/api/v1${path}`);
  expect(status, text).toBe(200);
  return body;
};

describe('GET /stats/runs', () => {
  it('counts by status with success rate and percentiles', async () => {
    expect((await get('/stats/runs'))['data']).toMatchObject({
      window: { hours: 24, runs: 6, is_capped: false, now: anyText, counted_since: anyText },
      runs: 6,
      by_status: { completed: 4, dead_lettered: 1, queued: 1, running: 0 },
      success_rate: 0.8,
      attempts: 5,
      crashes: 0,
      duration_ms: { p50: anyNumber, p95: anyNumber, p99: anyNumber },
      wait_ms: { p50: anyNumber },
    });
    expect((await get('/stats/runs?hours=1'))['data']).toMatchObject({ runs: 2, success_rate: 1 });
  });
});

describe('GET /stats/handlers', () => {
  it('tells the same by handler', async () => {
    const { handlers } = (await get('/stats/handlers'))['data'] ?? {};
    expect(handlers).toMatchObject([
      { kind: 'task', name: 'echo', runs: 5, success_rate: 1 },
      { kind: 'task', name: 'fail', runs: 1, success_rate: 0, by_status: { dead_lettered: 1 } },
    ]);
  });
});

describe('GET /stats/runs/history', () => {
  it('has every bucket, empty ones too', async () => {
    const data = (await get('/stats/runs/history?hours=3&bucket_minutes=5'))['data'];
    const buckets = listIn(data?.['buckets']);
    expect(buckets).toHaveLength(37);
    const sum = (key: string): number => buckets.reduce((total, bucket) => total + Number(bucket[key]), 0);
    expect([sum('submitted'), sum('completed'), sum('failed'), sum('cancelled')]).toEqual([6, 4, 1, 0]);
    expect(buckets.every((bucket) => String(bucket['is_complete']) === 'true')).toBe(true);
    expect(data).toMatchObject({ hours: 3, bucket_minutes: 5 });
    expect(listIn((await get('/stats/runs/history'))['data']?.['buckets'])).toHaveLength(25);
  });
});

describe('GET /queues and /stats/queues', () => {
  it('list the lanes that have work, a live worker or a pause', async () => {
    await api.call('POST', '/api/v1/queues/quiet/pause', { json: { by: 'ops', note: 'deploy' } });
    for (const path of ['/queues', '/stats/queues']) {
      const body = await get(path);
      const lanes = new Map(listIn(body['data']).map((queue) => [String(queue['lane']), queue]));
      expect([...lanes.keys()]).toEqual(['backfill', 'default', 'quiet', 'slow', 'unserved']);
      expect(lanes.get('default')).toEqual({
        lane: 'default',
        waiting: 0,
        waiting_is_capped: false,
        due: 0,
        running: 0,
        oldest_due_age_ms: null,
        workers: 1,
        slots: 20,
        paused: null,
      });
      expect(lanes.get('unserved')).toMatchObject({ waiting: 1, due: 1, workers: 0 });
      expect(Number(lanes.get('unserved')?.['oldest_due_age_ms'])).toBeGreaterThanOrEqual(0);
      expect(lanes.get('quiet')).toMatchObject({ paused: { at: anyText, by: 'ops', note: 'deploy' } });
      expect(body['page']).toMatchObject({ total: 5, has_more: false });
    }
    const page = await get('/queues?limit=2&offset=1');
    expect(listIn(page['data']).map((queue) => String(queue['lane']))).toEqual(['default', 'quiet']);
    expect(page['page']).toMatchObject({ total: 5, has_more: true, has_prev: true, page: 1 });
  });
});

describe('GET /stats/workers', () => {
  it('lists workers', async () => {
    const [worker] = listIn((await get('/stats/workers'))['data']);
    expect(worker).toMatchObject({
      worker_id: anyText,
      hostname: anyText,
      slots: 20,
      status: 'active',
      is_live: true,
      lanes: ['default', 'backfill', 'slow'],
    });
    expect(listIn(worker?.['handlers']).map(String)).toContain('task:echo');
  });
});

describe('GET /stats/dashboard', () => {
  it('shows health with its reasons, and the rest at a glance', async () => {
    const data = (await get('/stats/dashboard'))['data'];
    expect(data).toMatchObject({
      health: { score: anyNumber, grade: 'degraded' },
      runs: { runs: 6 },
      failing_handlers: [{ name: 'fail' }],
      workers: { live: 1, draining: 0, slots: 20 },
      dead_letters: { pending: 1, by_handler: [{ handler: 'task:fail', pending: 1 }] },
    });
    const reasons = listIn(data?.['health']?.['reasons']);
    expect(reasons.map((reason) => String(reason['check']))).toEqual(['workers', 'dead_letters']);
    expect(listIn(data?.['queues'])).toHaveLength(5);
  });

  it('becomes current again within seconds', async () => {
    const live = async () => Number((await get('/stats/dashboard'))['data']?.['workers']?.['live']);
    await api.startWorker();
    await waitFor(async () => (await live()) === 2);
  });
});

describe('a query that is not allowed', () => {
  it.each([
    ['/stats/runs?hours=0', 'hours'],
    ['/stats/runs?hours=745', 'hours'],
    ['/stats/runs?hours=1.5', 'hours'],
    ['/stats/runs?hours=1&hours=2', 'hours'],
    ['/stats/runs?window=1', 'window'],
    ['/stats/handlers?hours=-1', 'hours'],
    ['/stats/runs/history?bucket_minutes=7', 'bucket_minutes'],
    ['/stats/runs/history?hours=744&bucket_minutes=1', 'bucket_minutes'],
    ['/stats/queues?limit=0', 'limit'],
    ['/queues?cursor=x', 'cursor'],
    ['/stats/dashboard?x=1', 'x'],
  ])('%s names the field', async (path, field) => {
    const { status, body } = await api.call('GET', `/api/v1${path}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field }] });
  });
});
