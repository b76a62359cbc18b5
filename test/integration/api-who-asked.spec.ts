/** Work that is asked for by other ways than POST /runs, and changes of workflows: whose they are, and who is written down. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { WorkflowRegistry } from '@spine/orchestration';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Answer, Api, CallInit, Json } from './api-support.ts';

const ADMIN = randomKey();
const EXAMPLE = {
  name: 'stub',
  title: 'A stub of an ETL',
  level: 'basic',
  description: 'Runs etl_stub.',
  tags: ['etl'],
  run: { kind: 'operation', name: 'etl_stub', params: { records: 1 } },
  source: new URL(import.meta.url),
} as const;

let api: Api;
let confined: string;

beforeAll(async () => {
  const workflows = new WorkflowRegistry().registerFunction('load', () => ({}));
  api = await startApi({
    keys: [ADMIN],
    examples: [EXAMPLE],
    register: (registry) => {
      workflows.registerHandlers(registry);
      const options = { description: 'Judges again.', params: z.looseObject({}), tags: [] };
      registry.registerOperation('ledger.replay_rejects', options, () => null);
    },
  });
  const json = { name: 'team', scopes: ['read', 'submit'], namespace: 'team-a' };
  confined = String((await call('POST', '/keys', { json })).body['data']?.['key']);
});
afterAll(() => api.close());

function call(method: string, path: string, init: CallInit = {}, key = ADMIN): Promise<Answer> {
  return api.call(method, `/api/v1${path}`, { ...init, headers: { 'x-api-key': key, ...init.headers } });
}

const audited = async (query: string): Promise<readonly Json[]> =>
  listIn((await call('GET', `/audit?${query}`)).body['data']);

describe('a run of an example', () => {
  it('is of the namespace of the key, says whose it is, and stands in the audit log', async () => {
    const listed = await call('GET', '/examples', {}, confined);
    expect([listed.status, listIn(listed.body['data']).length]).toEqual([200, 1]);
    const json = { name: 'stub', idempotency_key: 'once' };
    const ids: string[] = [];
    for (const key of [confined, ADMIN]) {
      const { status, text, body } = await call('POST', '/examples/run', { json }, key);
      expect(status, text).toBe(202);
      ids.push(String(body['data']?.['run_id']));
    }
    const [theirs = '', own = ''] = ids;
    const run = async (id: string) => (await call('GET', `/runs/${id}`)).body['data'];
    expect(await run(theirs)).toMatchObject({ namespace: 'team-a', name: 'etl_stub' });
    expect(String((await run(theirs))?.['submitted_by'])).toMatch(/^key:/);
    expect(await run(own)).toMatchObject({ namespace: null, submitted_by: 'static:1' });
    expect((await call('GET', `/runs/${own}`, {}, confined)).status).toBe(404);
    const records = await audited('route=/api/v1/examples/run');
    expect(records.map((record) => String(record['principal']?.['type']))).toEqual(['static', 'key']);
  });
});

describe('a replay of refused rows', () => {
  it('says who asked for it', async () => {
    const { status, text, body } = await call('POST', '/rejects/replay', {
      json: { domain: 'd', dry_run: false },
    });
    expect(status, text).toBe(202);
    const run = await call('GET', `/runs/${String(body['data']?.['run_id'])}`);
    expect(run.body['data']).toMatchObject({ name: 'ledger.replay_rejects', submitted_by: 'static:1' });
  });
});

describe('a change of a workflow', () => {
  const body = (description: string): Json =>
    JSON.parse(
      JSON.stringify({
        definition: { name: 'w', description, steps: [{ name: 'load', kind: 'lambda', handler: 'load' }] },
      }),
    ) as Json;

  it('stands in the audit log as it was and as it became: published, again, rolled back, archived', async () => {
    for (const [method, path, json] of [
      ['POST', '/workflows', body('one')],
      ['PUT', '/workflows/w', body('two')],
      ['POST', '/workflows/w/rollback', { version: 1, reason: 'two was wrong' }],
      ['DELETE', '/workflows/w?reason=done', undefined],
    ] as const) {
      const answer = await call(method, path, json === undefined ? {} : { json });
      expect(answer.status, answer.text).toBeLessThan(300);
    }
    const records = [...(await audited('target=w')), ...(await audited('route=/api/v1/workflows'))].reverse();
    expect(records).toMatchObject([
      { before: null, after: { name: 'w', version: 1, revision: 1, definition: { description: 'one' } } },
      { before: { version: 1, revision: 1 }, after: { version: 2, definition: { description: 'two' } } },
      { before: { version: 2 }, after: { version: 1, definition: { description: 'one' } } },
      { before: { archived_at: null }, after: { archived_at: expect.any(String) as string } },
    ]);
    expect(records.map((record) => String(record['method']))).toEqual(['POST', 'PUT', 'POST', 'DELETE']);
  });
});
