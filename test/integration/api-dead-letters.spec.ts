import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '@spine/testing';
import { anyText, listIn, runWithStatus, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
  await api.startWorker();
});
afterAll(() => api.close());

/** Fails a run and answers with its dead letter. */
async function deadLetter(category = 'SOURCE', message = 'no such file'): Promise<Json> {
  const params = { message, category, retryable: false };
  const { body } = await api.call('POST', '/api/v1/runs', {
    json: { kind: 'task', name: 'fail', params, correlation_id: 'c-dead' },
  });
  const runId = String(body['data']?.['run_id']);
  await runWithStatus(api, runId, 'dead_lettered');
  const found = await api.call('GET', '/api/v1/dlq?limit=1000');
  const letter = listIn(found.body['data']).find((each) => String(each['run_id']) === runId);
  if (letter === undefined) throw new Error(`run ${runId} has no dead letter: ${found.text}`);
  return letter;
}

const idOf = (letter: Json): string => String(letter['dead_letter_id']);
const post = (letter: Json, action: string, json?: object) =>
  api.call('POST', `/api/v1/dlq/${idOf(letter)}/${action}`, json === undefined ? {} : { json });
const get = (letter: Json) => api.call('GET', `/api/v1/dlq/${idOf(letter)}`);
const countRetriesOf = async (runId: unknown): Promise<number> => {
  const { rows } = await api.engine.pool.query<{ count: number }>(
    'SELECT count(*)::int AS count FROM runs WHERE retry_of_run_id = $1',
    [runId],
  );
  return rows[0]?.count ?? -1;
};

describe('dead letters', () => {
  it('keep what failed and why', async () => {
    const letter = await deadLetter();
    expect((await get(letter)).body['data']).toEqual(letter);
    expect(letter).toMatchObject({
      kind: 'task',
      name: 'fail',
      lane: 'default',
      params: { message: 'no such file' },
      error: { message: 'no such file', type: 'SpineError', category: 'SOURCE', retryable: false },
      error_category: 'SOURCE',
      attempts: 1,
      crash_count: 0,
      correlation_id: 'c-dead',
      resolved_at: null,
      resolution: null,
      resolved_by: null,
      note: null,
      replay_run_id: null,
    });
    const run = await api.call('GET', `/api/v1/runs/${String(letter['run_id'])}`);
    expect(run.body['data']).toMatchObject({ status: 'dead_lettered', error: letter['error'] });
  });

  it('are listed by handler, category, time and state, in pages', async () => {
    const parse = await deadLetter('PARSE');
    const resolved = await deadLetter('PARSE');
    await post(resolved, 'resolve');
    const listed = async (query: string): Promise<string[]> => {
      const { status, body, text } = await api.call('GET', `/api/v1/dlq?${query}`);
      expect(status, text).toBe(200);
      return listIn(body['data']).map(idOf);
    };
    expect(await listed('error_category=PARSE')).toEqual([idOf(resolved), idOf(parse)]);
    expect(await listed('error_category=PARSE&resolved=true')).toEqual([idOf(resolved)]);
    expect(await listed('error_category=PARSE&resolved=false')).toEqual([idOf(parse)]);
    expect(await listed('error_category=PARSE&handler=fail')).toHaveLength(2);
    expect(await listed('error_category=PARSE&handler=task:fail')).toHaveLength(2);
    expect(await listed('handler=operation:fail')).toEqual([]);
    expect(await listed('handler=echo')).toEqual([]);
    expect(await listed('error_category=PARSE&since=2100-01-01T00:00:00Z')).toEqual([]);
    expect(await listed('error_category=PARSE&limit=1&offset=1')).toEqual([idOf(parse)]);
    const { body } = await api.call('GET', '/api/v1/dlq?error_category=PARSE&limit=1');
    expect(body['page']).toMatchObject({ total: 2, has_more: true, next_cursor: anyText, total_pages: 2 });
  });

  it.each([
    ['error_category=WEIRD', 'error_category'],
    ['resolved=yes', 'resolved'],
    ['since=today', 'since'],
    ['cursor=x', 'cursor'],
  ])('refuse ?%s', async (query, field) => {
    const { status, body } = await api.call('GET', `/api/v1/dlq?${query}`);
    expect(status).toBe(400);
    expect(body).toMatchObject({ errors: [{ field }] });
  });

  it('are replayed as a new run that names the old one', async () => {
    const letter = await deadLetter();
    const { status, body, headers } = await post(letter, 'replay', {
      note: 'file is there now',
      resolved_by: 'ops',
    });
    expect(status).toBe(202);
    const runId = String(body['data']?.['run_id']);
    expect(body['data']).toMatchObject({ dead_letter_id: idOf(letter), retry_of_run_id: letter['run_id'] });
    expect(headers.get('location')).toBe(`/api/v1/runs/${runId}`);
    const closed = await get(letter);
    expect(closed.body['data']).toMatchObject({
      resolution: 'replayed',
      resolved_by: 'ops',
      note: 'file is there now',
      replay_run_id: runId,
    });
    // The new run reaches a worker, and fails as the old one did: a second dead letter.
    const again = await runWithStatus(api, runId, 'dead_lettered');
    expect(again).toMatchObject({ retry_of_run_id: letter['run_id'], trigger_source: 'replay' });
  });

  it('are replayed once, however many ask at once', async () => {
    const letter = await deadLetter();
    const answers = await Promise.all(Array.from({ length: 8 }, () => post(letter, 'replay')));
    expect(answers.filter(({ status }) => status === 202)).toHaveLength(1);
    const lost = answers.filter(({ status }) => status !== 202);
    expect(lost.map(({ status }) => status)).toEqual(lost.map(() => 409));
    for (const { body } of lost) expect(body).toMatchObject({ code: 'CONFLICT' });
    expect(await countRetriesOf(letter['run_id'])).toBe(1);
  });

  it('are resolved once, and not replayed afterwards', async () => {
    const letter = await deadLetter();
    const { status, body } = await post(letter, 'resolve', { note: 'known', resolved_by: 'ops' });
    expect(status).toBe(200);
    expect(body['data']).toMatchObject({ resolution: 'resolved', resolved_by: 'ops', note: 'known' });
    for (const action of ['resolve', 'replay']) {
      const again = await post(letter, action);
      expect(again.status).toBe(409);
      expect(again.body['detail']).toContain('already resolved by ops');
    }
    expect(await countRetriesOf(letter['run_id'])).toBe(0);
    expect((await get(letter)).body['data']).toEqual(body['data']);
  });

  it('that do not exist are 404', async () => {
    for (const id of ['01890000-0000-7000-8000-00000000dead', 'x']) {
      for (const [method, action] of [
        ['GET', ''],
        ['POST', '/replay'],
        ['POST', '/resolve'],
      ] as const) {
        const { status, body } = await api.call(method, `/api/v1/dlq/${id}${action}`);
        expect(status).toBe(404);
        expect(body).toMatchObject({ code: 'NOT_FOUND' });
      }
    }
  });

  it('follow a retryable failure only when its attempts are used up', async () => {
    const { body } = await api.call('POST', '/api/v1/runs', {
      json: {
        kind: 'task',
        name: 'fail',
        params: { message: 'busy', category: 'NETWORK', retryable: true },
        max_retries: 1,
        retry_delay_seconds: 0,
      },
    });
    const runId = String(body['data']?.['run_id']);
    const run = await runWithStatus(api, runId, 'dead_lettered');
    expect(run).toMatchObject({ attempt: 2, max_attempts: 2 });
    await waitFor(async () => {
      const { body: found } = await api.call('GET', `/api/v1/runs/${runId}/events`);
      return listIn(found['data']).filter((event) => String(event['event_type']) === 'started').length === 2;
    });
  });
});
