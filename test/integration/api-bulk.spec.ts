/** Dead letters and failed runs by the many, over HTTP. */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { anyText, listIn, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { addPastRuns, DAY_MINUTES, resolvePast } from './history-support.ts';

let api: Api;
let admin: Pool;
beforeAll(async () => {
  api = await startApi();
  admin = createPool({ connectionString: api.database.connectionString, role: null, max: 1 });
});
beforeEach(() => admin.query('TRUNCATE runs, run_events, dead_letters'));
afterAll(async () => {
  await admin.end();
  await api.close();
});

const dead = (count: number, more: Parameters<typeof addPastRuns>[1] = {}) =>
  addPastRuns(admin, { count, status: 'dead_lettered', ...more });

async function post(path: string, json: object, expected = 200): Promise<Json> {
  const { status, body, text } = await api.call('POST', `/api/v1${path}`, { json });
  expect(status, text).toBe(expected);
  return body['data'] ?? {};
}
const outcomesOf = (data: Json) => listIn(data['items']).map((item) => String(item['outcome']));
const pending = async (): Promise<number> => {
  const { body } = await api.call('GET', '/api/v1/dlq/stats');
  return Number(body['data']?.['pending']);
};

describe('POST /dlq/replay', () => {
  it('tells in a dry run, replays up to the limit, and goes on when called again', async () => {
    const runIds = await dead(3);
    await dead(1, { name: 'other' });
    const filter = { handler: 'task:echo', error_category: 'SOURCE' };
    const dry = await post('/dlq/replay', { filter, dry_run: true });
    expect(dry).toMatchObject({ dry_run: true, matched: 3, matched_is_capped: false, replayed: 0 });
    expect(outcomesOf(dry)).toEqual(['would_replay', 'would_replay', 'would_replay']);
    expect(await pending()).toBe(4);

    const asked = { filter, limit: 2, note: 'mended', resolved_by: 'ops' };
    const first = await post('/dlq/replay', asked, 202);
    expect(first).toMatchObject({ dry_run: false, matched: 3, replayed: 2 });
    expect(listIn(first['items'])).toEqual(
      runIds.slice(0, 2).map((runId) => ({
        dead_letter_id: anyText,
        outcome: 'replayed',
        run_id: anyText,
        retry_of_run_id: runId,
      })),
    );
    const [item] = listIn(first['items']);
    const run = await api.call('GET', `/api/v1/runs/${String(item?.['run_id'])}`);
    expect(run.body['data']).toMatchObject({ retry_of_run_id: runIds[0], trigger_source: 'replay' });
    const letter = await api.call('GET', `/api/v1/dlq/${String(item?.['dead_letter_id'])}`);
    expect(letter.body['data']).toMatchObject({ resolution: 'replayed', resolved_by: 'ops', note: 'mended' });

    expect(await post('/dlq/replay', asked, 202)).toMatchObject({ matched: 1, replayed: 1 });
    expect(await post('/dlq/replay', asked, 202)).toMatchObject({ matched: 0, replayed: 0, items: [] });
    expect(await pending()).toBe(1);
  });
});

describe('POST /dlq/resolve', () => {
  it('closes by filter without a run', async () => {
    await dead(2);
    const data = await post('/dlq/resolve', { filter: {}, note: 'known', order: 'newest_first' });
    expect(data).toMatchObject({ matched: 2, resolved: 2 });
    expect(outcomesOf(data)).toEqual(['resolved', 'resolved']);
    expect(await pending()).toBe(0);
    expect((await api.rowCounts()).runs).toBe(2);
    const until = { until: '2000-01-01T00:00:00Z' };
    expect(await post('/dlq/resolve', { filter: until, dry_run: true })).toMatchObject({ matched: 0 });
  });
});

describe('GET /dlq/stats', () => {
  it('counts by handler and category', async () => {
    await dead(2, { name: 'b' });
    await resolvePast(admin, await dead(1, { name: 'a' }), 3 * DAY_MINUTES);
    const { body } = await api.call('GET', '/api/v1/dlq/stats?closed_days=7');
    expect(body['data']).toMatchObject({
      closed_days: 7,
      pending: 2,
      resolved: 1,
      replayed: 0,
      oldest_pending_at: anyText,
      by_handler: [
        { handler: 'task:b', pending: 2, resolved: 0 },
        { handler: 'task:a', pending: 0, resolved: 1, oldest_pending_at: null },
      ],
      by_category: [{ error_category: 'SOURCE', pending: 2, resolved: 1 }],
      groups: [{ kind: 'task', name: 'b', error_category: 'SOURCE' }, { name: 'a' }],
    });
    const day = await api.call('GET', '/api/v1/dlq/stats?closed_days=1');
    expect(day.body['data']).toMatchObject({ resolved: 0 });
  });
});

describe('POST /dlq/purge', () => {
  it('deletes what was resolved long ago, after a dry run', async () => {
    await resolvePast(admin, await dead(2), 10 * DAY_MINUTES);
    await dead(1);
    const ask = { older_than_days: 9 };
    expect(await post('/dlq/purge', { ...ask, dry_run: true })).toEqual({
      ...ask,
      dry_run: true,
      deleted: 2,
    });
    expect((await api.rowCounts()).dead_letters).toBe(3);
    expect(await post('/dlq/purge', ask)).toEqual({ ...ask, dry_run: false, deleted: 2 });
    expect(await api.rowCounts()).toMatchObject({ dead_letters: 1, runs: 3 });
  });
});

describe('POST /runs/retry', () => {
  it('tells in a dry run, retries up to the limit, and goes on when called again', async () => {
    const runIds = await addPastRuns(admin, { count: 3, status: 'failed', tag: 'nightly' });
    await addPastRuns(admin, { status: 'cancelled', tag: 'nightly' });
    await addPastRuns(admin, { status: 'failed' });
    const filter = { tag: 'nightly' };
    const dry = await post('/runs/retry', { filter, dry_run: true });
    expect(dry).toMatchObject({ dry_run: true, matched: 3, matched_is_capped: false, retried: 0 });
    expect(listIn(dry['items'])).toEqual(
      runIds.map((runId) => ({ retry_of_run_id: runId, outcome: 'would_retry', run_id: null })),
    );
    const first = await post('/runs/retry', { filter, limit: 2 }, 202);
    expect(first).toMatchObject({ matched: 3, retried: 2 });
    const [item] = listIn(first['items']);
    const run = await api.call('GET', `/api/v1/runs/${String(item?.['run_id'])}`);
    expect(run.body['data']).toMatchObject({ retry_of_run_id: runIds[0], trigger_source: 'retry' });
    expect(await post('/runs/retry', { filter }, 202)).toMatchObject({ matched: 1, retried: 1 });
    const cancelled = { ...filter, status: ['cancelled', 'cancelled', 'timed_out'] };
    expect(await post('/runs/retry', { filter: cancelled }, 202)).toMatchObject({ matched: 1, retried: 1 });
    expect((await api.rowCounts()).runs).toBe(9);
  });
});

describe('a bulk request that is not allowed', () => {
  const days = { older_than_days: 5 };
  it.each([
    ['/dlq/replay', {}, 'filter'],
    ['/dlq/replay', { filter: { handler: '' } }, 'filter.handler'],
    ['/dlq/replay', { filter: { error_category: 'WEIRD' } }, 'filter.error_category'],
    ['/dlq/replay', { filter: { resolved: false } }, 'filter.resolved'],
    ['/dlq/replay', { filter: { since: 'today' } }, 'filter.since'],
    ['/dlq/replay', { filter: {}, limit: 1_001 }, 'limit'],
    ['/dlq/replay', { filter: {}, dry_run: 'yes' }, 'dry_run'],
    ['/dlq/resolve', { filter: {}, order: 'random' }, 'order'],
    ['/dlq/resolve', { filter: {}, resolved_by: '' }, 'resolved_by'],
    ['/dlq/resolve', [], 'body'],
    ['/dlq/purge', {}, 'older_than_days'],
    ['/dlq/purge', { older_than_days: 0 }, 'older_than_days'],
    ['/dlq/purge', { ...days, filter: {} }, 'filter'],
    ['/runs/retry', { filter: { status: ['completed'] } }, 'filter.status[0]'],
    ['/runs/retry', { filter: { status: [] } }, 'filter.status'],
    ['/runs/retry', { filter: { lane: 'No Lane' } }, 'filter.lane'],
    ['/runs/retry', { filter: { parent_run_id: 'x' } }, 'filter.parent_run_id'],
    ['/runs/retry', { filter: {}, limit: 0 }, 'limit'],
  ])('%s with %j names the field and changes nothing', async (path, json, field) => {
    await dead(1);
    const { status, body } = await api.call('POST', `/api/v1${path}`, { json });
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field }] });
    expect(await pending()).toBe(1);
    expect((await api.rowCounts()).runs).toBe(1);
  });
});
