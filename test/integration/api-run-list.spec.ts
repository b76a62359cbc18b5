import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import { listIn, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';
import { addPastRuns } from './history-support.ts';

const ECHO = { kind: 'task', name: 'echo' };

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

/** Submits and answers with the run's id. */
async function submitted(spec: object): Promise<string> {
  const { status, body, text } = await api.call('POST', '/api/v1/runs', { json: spec });
  expect(status, text).toBe(202);
  return String(body['data']?.['run_id']);
}

describe('GET /runs', () => {
  const lane = 'listing';
  const ids: string[] = [];

  beforeAll(async () => {
    for (let n = 0; n < 5; n += 1) {
      const tags = n % 2 === 0 ? ['even'] : ['odd'];
      ids.push(
        await submitted({ kind: 'task', name: 'echo', params: { n }, lane, tags, correlation_id: `c-${n}` }),
      );
    }
    ids.push(await submitted({ kind: 'operation', name: 'etl_stub', lane, parent_run_id: ids[0] }));
    await api.call('POST', `/api/v1/runs/${ids[4]}/cancel`);
  });

  const listed = async (query: string): Promise<string[]> => {
    const { status, body, text } = await api.call('GET', `/api/v1/runs?lane=${lane}&${query}`);
    expect(status, text).toBe(200);
    return listIn(body['data']).map((run) => String(run['run_id']));
  };

  it('lists the newest first', async () => {
    expect(await listed('')).toEqual([...ids].reverse());
  });

  it.each([
    ['kind=operation', [5]],
    ['name=echo', [4, 3, 2, 1, 0]],
    ['status=cancelled', [4]],
    ['status=queued,cancelled', [5, 4, 3, 2, 1, 0]],
    ['status=queued&status=cancelled', [5, 4, 3, 2, 1, 0]],
    ['status=completed,failed', []],
    ['tag=odd', [3, 1]],
    ['correlation_id=c-2', [2]],
    ['since=2000-01-01T00:00:00Z', [5, 4, 3, 2, 1, 0]],
    ['since=2100-01-01T00:00:00Z', []],
    ['until=2000-01-01T00:00:00%2B02:00', []],
    ['kind=task&tag=even&status=queued', [2, 0]],
  ])('filters by %s', async (query, expected) => {
    expect(await listed(query)).toEqual(expected.map((index) => ids[index]));
  });

  it('filters by the parent', async () => {
    expect(await listed(`parent_run_id=${ids[0]}`)).toEqual([ids[5]]);
  });

  it('filters by the workflow, and by the batch that runs were submitted in', async () => {
    const own = { kind: 'task', name: 'echo', lane: 'batched', correlation_id: 'mine' };
    const runs = [
      { kind: 'task', name: 'echo', lane: 'batched' },
      { kind: 'workflow', name: 'weekly', lane: 'batched' },
      { kind: 'workflow', name: 'daily', lane: 'batched' },
      own,
    ];
    const answer = await api.call('POST', '/api/v1/runs/batch?allow_unknown=true', {
      json: { batch_id: 'week-5', runs },
    });
    expect(answer.status, answer.text).toBe(202);
    const [first, weekly, daily] = listIn(answer.body['data']?.['items']).map((item) =>
      String(item['run_id']),
    );
    const found = async (query: string): Promise<string[]> => {
      const { body } = await api.call('GET', `/api/v1/runs?lane=batched&${query}`);
      return listIn(body['data']).map((run) => String(run['run_id']));
    };
    expect(await found('batch_id=week-5')).toEqual([daily, weekly, first]);
    expect(await found('batch_id=week-5&correlation_id=week-5&limit=1')).toEqual([daily]);
    expect(await found('workflow=weekly')).toEqual([weekly]);
    expect(await found('workflow=weekly&kind=workflow&name=weekly&batch_id=week-5')).toEqual([weekly]);
    expect(await found('workflow=echo')).toEqual([]);
    const cancelled = await api.call('POST', '/api/v1/runs/cancel', {
      json: { filter: { workflow: 'daily', batch_id: 'week-5' } },
    });
    expect(listIn(cancelled.body['data']?.['items']).map((item) => String(item['run_id']))).toEqual([daily]);
    const twice = await api.call('POST', '/api/v1/runs/cancel', {
      json: { filter: { workflow: 'daily', kind: 'task' } },
    });
    expect(twice.body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field: 'filter.kind' }] });
  });

  it('pages by offset', async () => {
    const { body } = await api.call('GET', `/api/v1/runs?lane=${lane}&limit=2&offset=2`);
    expect(listIn(body['data']).map((run) => run['run_id'])).toEqual([ids[3], ids[2]]);
    expect(body['page']).toMatchObject({
      total: 6,
      total_is_capped: false,
      limit: 2,
      offset: 2,
      has_more: true,
      page: 2,
      total_pages: 3,
      has_prev: true,
    });
  });

  it('pages by cursor, and is not moved by runs that arrive meanwhile', async () => {
    const seen: unknown[] = [];
    let href: string | undefined = `/api/v1/runs?lane=${lane}&limit=2`;
    while (href !== undefined) {
      const answer = await api.call('GET', href);
      expect(answer.status, answer.text).toBe(200);
      seen.push(...listIn(answer.body['data']).map((run) => run['run_id']));
      await submitted({ kind: 'task', name: 'echo', lane });
      const next = listIn(answer.body['links']).find((link) => String(link['rel']) === 'next');
      expect(answer.body['page']?.['next_cursor'] === null).toBe(next === undefined);
      href = next === undefined ? undefined : String(next['href']);
    }
    expect(seen).toEqual([...ids].reverse());
  });

  it.each([
    ['limit=0', 'limit'],
    ['limit=1001', 'limit'],
    ['limit=ten', 'limit'],
    ['limit=1.5', 'limit'],
    ['limit=5&limit=6', 'limit'],
    ['offset=-1', 'offset'],
    ['kind=job', 'kind'],
    ['kind=task&kind=step', 'kind'],
    ['status=done', 'status[0]'],
    ['status=queued,done', 'status[1]'],
    ['since=yesterday', 'since'],
    ['since=2026-02-30T00:00:00Z', 'since'],
    ['until=0000-01-01T00:00:00Z', 'until'],
    ['parent_run_id=42', 'parent_run_id'],
    ['lane=UPPER', 'lane'],
    ['tag=a%00b', 'tag'],
    ['correlation_id=', 'correlation_id'],
    ['workflow=a&kind=task', 'kind'],
    ['workflow=a&name=b', 'name'],
    ['batch_id=a&correlation_id=b', 'correlation_id'],
    ['cursor=nonsense', 'cursor'],
    ['cursor=ZXZlbnRzOjE', 'cursor'],
    ['state=queued', 'state'],
    ['constructor=1', 'constructor'],
    ['__proto__=1', '__proto__'],
  ])('refuses ?%s', async (query, field) => {
    const { status, body } = await api.call('GET', `/api/v1/runs?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field }] });
  });

  it('refuses a cursor together with an offset', async () => {
    const first = await api.call('GET', '/api/v1/runs?limit=1');
    const cursor = String(first.body['page']?.['next_cursor']);
    const { status, body } = await api.call('GET', `/api/v1/runs?cursor=${cursor}&offset=1`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ errors: [{ field: 'offset' }] });
  });
});

describe('the total of a list', () => {
  const totalOf = async (lane: string): Promise<unknown> => {
    const { body } = await api.call('GET', `/api/v1/runs?lane=${lane}&limit=1`);
    return [listIn(body['data'])[0]?.['run_id'], body['page']?.['total'], body['page']?.['total_is_capped']];
  };

  it('is counted anew while it is small, and kept for a while when it is large; the runs are always those of now', async () => {
    const admin = createPool({ connectionString: api.database.connectionString, role: null, max: 1 });
    try {
      await addPastRuns(admin, { count: 2, lane: 'few', events: false });
      expect(await totalOf('few')).toMatchObject([expect.any(String), 2, false]);
      const third = await submitted({ ...ECHO, lane: 'few' });
      expect(await totalOf('few')).toEqual([third, 3, false]);
      await addPastRuns(admin, { count: 1_001, lane: 'many', events: false });
      expect(await totalOf('many')).toMatchObject([expect.any(String), 1_001, false]);
      const last = await submitted({ ...ECHO, lane: 'many' });
      expect(await totalOf('many')).toEqual([last, 1_001, false]);
    } finally {
      await admin.end();
    }
  });
});
