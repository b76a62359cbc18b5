/** Retry policies, times to live, deadlines and singletons over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runWithStatus, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const ECHO = { kind: 'task', name: 'echo', lane: 'unserved' } as const;
const submit = (spec: object) => api.call('POST', '/api/v1/runs', { json: { ...ECHO, ...spec } });
const idOf = (body: Json): string => String(body['data']?.['run_id']);
const get = (runId: string) => api.call('GET', `/api/v1/runs/${runId}`);

describe('POST /runs', () => {
  it('keeps a retry policy, a time to live and a deadline, and shows them again', async () => {
    const retry = {
      strategy: 'linear',
      max_retries: 7,
      base_delay_seconds: 2,
      max_delay_seconds: 60,
      jitter: false,
      rules: [{ category: 'NETWORK', error_type: 'ResetError', retry: true, delay_seconds: 1 }],
    };
    const submitted = await submit({ retry, expires_at: '2200-01-01T00:00:00Z', deadline_seconds: 3600 });
    expect(submitted.status, submitted.text).toBe(202);
    const { body } = await get(idOf(submitted.body));
    expect(body['data']).toMatchObject({
      retry,
      max_attempts: 8,
      expires_at: '2200-01-01T00:00:00.000Z',
      singleton_key: null,
    });
    const { created_at: created, deadline_at: deadline } = body['data'] ?? {};
    expect(Date.parse(String(deadline)) - Date.parse(String(created))).toBe(3_600_000);
  });

  it('lets the latest of the waiting runs of a singleton key win', async () => {
    const first = await submit({ singleton_key: 'report', params: { version: 1 } });
    const second = await submit({ singleton_key: 'report', params: { version: 2 }, debounce_seconds: 3600 });
    expect([first.status, second.status]).toEqual([202, 202]);
    expect(second.body['data']).toMatchObject({ status: 'pending' });
    expect(await runWithStatus(api, idOf(first.body), 'cancelled')).toMatchObject({
      singleton_key: 'report',
    });
    const events = await api.call('GET', `/api/v1/runs/${idOf(first.body)}/events`);
    expect(events.text).toContain(idOf(second.body));
  });

  it.each([
    ['debounce_seconds', { debounce_seconds: 5 }],
    ['debounce_seconds', { singleton_key: 'k', debounce_seconds: 5, run_after: '2200-01-01T00:00:00Z' }],
    ['retry.max_retries', { max_retries: 1, retry: { max_retries: 2 } }],
    ['retry.strategy', { retry: { strategy: 'fibonacci' } }],
    ['retry.rules[0]', { retry: { rules: [{ retry: true }] } }],
    ['retry.rules[0].category', { retry: { rules: [{ retry: true, category: 'WEATHER' }] } }],
    ['retry.backoff', { retry: { backoff: 1 } }],
    ['expires_at', { expires_at: '1960-01-01T00:00:00Z' }],
    ['deadline_seconds', { deadline_seconds: 0 }],
    ['singleton_key', { singleton_key: '' }],
  ])('refuses a bad %s and stores nothing', async (field, spec) => {
    const before = await api.rowCounts();
    const { status, body, text } = await submit(spec);
    expect(status, text).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field }] });
    expect(await api.rowCounts()).toEqual(before);
  });

  it('takes a retry policy that says the same for the same request', async () => {
    const spec = { idempotency_key: 'with-policy', retry: { strategy: 'constant' } };
    const first = await submit(spec);
    expect((await submit(spec)).body['data']).toMatchObject({ run_id: idOf(first.body) });
    expect((await submit({ ...spec, retry: { strategy: 'linear' } })).status).toBe(409);
  });
});
