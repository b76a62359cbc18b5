/** GET /runs/{id}/logs. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { newId } from '@spine/core';
import { listIn, runWithStatus, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';

let api: Api;
let runId: string;
beforeAll(async () => {
  api = await startApi({
    register: (registry) =>
      registry.registerTask('talk', { description: 'Logs.', params: z.object({}) }, (_, ctx) => {
        for (const level of ['info', 'warn', 'error'] as const) ctx.log[level]({ n: ctx.run.attempt }, level);
        if (ctx.run.attempt === 1) throw new Error('once more');
      }),
  });
  await api.startWorker();
  const spec = { kind: 'task', name: 'talk', retry_delay_seconds: 0 };
  const { body } = await api.call('POST', '/api/v1/runs', { json: spec });
  runId = String(body['data']?.['run_id']);
  await runWithStatus(api, runId, 'completed');
});
afterAll(() => api.close());

const logs = (query = '') => api.call('GET', `/api/v1/runs/${runId}/logs${query}`);

describe('the log of a run', () => {
  it('is what its attempts said, oldest first', async () => {
    const { status, body } = await logs();
    expect(status).toBe(200);
    expect(listIn(body['data']).map((line) => [line['attempt'], line['level'], line['message']])).toEqual([
      [1, 'info', 'info'],
      [1, 'warn', 'warn'],
      [1, 'error', 'error'],
      [2, 'info', 'info'],
      [2, 'warn', 'warn'],
      [2, 'error', 'error'],
    ]);
    expect(listIn(body['data'])[3]).toMatchObject({ run_id: runId, epoch: 2, fields: { n: 2 } });
    expect(body['page']).toMatchObject({ total: 6, has_more: false });
  });

  it('is filtered by severity and attempt, and read page by page', async () => {
    const severe = await logs('?level=warn&attempt=2');
    expect(listIn(severe.body['data']).map((line) => line['message'])).toEqual(['warn', 'error']);
    const first = await logs('?limit=4');
    expect(first.body['page']).toMatchObject({ total: 6, has_more: true });
    const cursor = String(first.body['page']?.['next_cursor']);
    const second = await logs(`?limit=4&cursor=${cursor}`);
    expect(listIn(second.body['data']).map((line) => line['message'])).toEqual(['warn', 'error']);
    expect(second.body['page']).toMatchObject({ has_more: false, next_cursor: null });
  });

  it.each(['?level=loud', '?attempt=0', '?attempt=x', '?cursor=abc', '?step=1', '?level=info&level=warn'])(
    'is not asked for with %s',
    async (query) => {
      expect(await logs(query)).toMatchObject({ status: 400, body: { code: 'VALIDATION_FAILED' } });
    },
  );

  it('is empty for a run that said nothing, and not there for no run', async () => {
    const { body } = await api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' } });
    const quiet = String(body['data']?.['run_id']);
    const answer = await api.call('GET', `/api/v1/runs/${quiet}/logs`);
    expect(answer).toMatchObject({ status: 200, body: { data: [], page: { total: 0 } } });
    for (const id of [newId(), 'x']) {
      expect((await api.call('GET', `/api/v1/runs/${id}/logs`)).status).toBe(404);
    }
  });
});
