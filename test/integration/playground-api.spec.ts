/** The playground over HTTP: two API processes, one database. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { createPlaygroundSession, publishWorkflow } from '@spine/database';
import type { NewPlaygroundSession } from '@spine/database';
import {
  defineWorkflow,
  DefinitionVersions,
  PLAYGROUND_TAG,
  WorkflowDriver,
  WorkflowRegistry,
  workflowToJson,
} from '@spine/orchestration';
import type { WorkflowInput } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { listIn, runWithStatus, startApi } from './api-support.ts';
import type { Answer, Api, CallInit, Json } from './api-support.ts';

const PATH = '/api/v1/playground/sessions';
const UNKNOWN = '01890000-0000-7000-8000-000000000000';

/** Sessions by the caller and of the workflow that follow, for a quota. */
const INSERT_SESSIONS = `INSERT INTO playground_sessions (session_id, mode, setup, answers, moves, state_hash, status,
  ttl_seconds, expires_at, created_by, workflow_name)
SELECT gen_random_uuid(), 'stub', '{}', '{}', '[]', repeat('0', 64), 'running', 60, now() + interval '1 h',`;

/** A workflow that is debugged: its last step fails at first. */
const pipeline = {
  name: 'debug.pipeline',
  defaults: { factor: 2, max_value: 8 },
  steps: [
    { kind: 'lambda', name: 'fetch', handler: 'fetch' },
    {
      kind: 'lambda',
      name: 'transform',
      handler: 'times',
      params: { records: '{{ steps.fetch.output.records }}', factor: '{{ params.factor }}' },
    },
    {
      kind: 'lambda',
      name: 'validate',
      handler: 'at_most',
      params: { values: '{{ steps.transform.output.values }}', max: '{{ params.max_value }}' },
    },
  ],
} as const satisfies WorkflowInput;

const numbers = (value: unknown): number[] => (Array.isArray(value) ? value.map(Number) : []);
let calls = 0;

function functions(): WorkflowRegistry {
  const tags = [PLAYGROUND_TAG];
  return new WorkflowRegistry()
    .registerFunction('fetch', () => ({ records: [1, 2, 3, 4, 5], call: (calls += 1) }), { tags })
    .registerFunction(
      'times',
      ({ records, factor }) => ({ values: numbers(records).map((each) => each * Number(factor)) }),
      { tags },
    )
    .registerFunction(
      'at_most',
      ({ values, max }) => {
        if (numbers(values).some((each) => each > Number(max)))
          throw new Error('values exceed the threshold');
        return { valid: true };
      },
      { tags },
    )
    .registerFunction('writes', () => {
      throw new Error('must not be called');
    })
    .registerWorkflow(pipeline);
}

let api: Api;
let other: Api;
let driver: WorkflowDriver;
beforeAll(async () => {
  const register = (registry: Parameters<WorkflowRegistry['registerHandlers']>[0]): void =>
    void functions().registerHandlers(registry);
  api = await startApi({ register });
  other = await startApi({ register, databaseUrl: api.database.connectionString });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
  const { hash, ...input } = defineWorkflow(pipeline);
  const change = { revision: null, isInCode: false, source: 'api' as const, by: 'test', changelog: null };
  await publishWorkflow(api.engine.db, {
    ...change,
    name: input.name,
    hash,
    definition: workflowToJson(input),
  });
});
afterAll(async () => {
  await driver.stop();
  await other.close();
  await api.close();
});

async function post(path: string, json: unknown, init: CallInit = {}, on = api): Promise<Answer> {
  return on.call('POST', `${PATH}${path}`, { json, ...init });
}

async function created(json: unknown): Promise<{ readonly id: string; readonly data: Json }> {
  const answer = await post('', json);
  expect(answer.status, answer.text).toBe(201);
  const data = answer.body['data'] ?? {};
  return { id: String(data['session_id']), data };
}

async function ok(answer: Promise<Answer>): Promise<Json> {
  const { status, text, body } = await answer;
  expect(status, text).toBe(200);
  return body['data'] ?? {};
}

const units = (steps: unknown): string[] => listIn(steps).map(({ unit }) => String(unit));

describe('a session', () => {
  it('is gone through forth and back, by either of two processes', async () => {
    const { id, data } = await created({ workflow: 'debug.pipeline', mode: 'live' });
    expect(data).toMatchObject({
      workflow: 'debug.pipeline',
      version: 1,
      mode: 'live',
      status: 'running',
      revision: 1,
      params: { factor: 2, max_value: 8 },
      remaining: ['fetch', 'transform', 'validate'],
      next: { type: 'work', unit: 'fetch', attempt: 1, params: {} },
    });
    const before = calls;
    const first = await ok(post(`/${id}/step`, undefined));
    expect(first).toMatchObject({ stopped: 'done', session: { revision: 2, step_count: 1 } });
    expect(listIn(first['steps'])).toMatchObject([
      {
        index: 1,
        type: 'work',
        unit: 'fetch',
        result: { status: 'ok', output: { records: [1, 2, 3, 4, 5] } },
      },
    ]);
    // The other process goes on where this one was, and calls nothing again.
    const rest = await ok(post(`/${id}/run-all`, {}, {}, other));
    expect(rest).toMatchObject({ stopped: 'ended', session: { status: 'failed', next: { type: 'ended' } } });
    expect(listIn(rest['steps'])).toMatchObject([
      { unit: 'transform', result: { output: { values: [2, 4, 6, 8, 10] } } },
      {
        unit: 'validate',
        run: 'failed',
        result: { status: 'fail', error: { message: 'values exceed the threshold' } },
      },
    ]);
    expect(calls).toBe(before + 1);

    await ok(post(`/${id}/step-back`, {}));
    await ok(post(`/${id}/step-back`, undefined, {}, other));
    const set = await ok(api.call('PUT', `${PATH}/${id}/params`, { json: { params: { factor: 1 } } }));
    expect(set).toMatchObject({ step_count: 1, params: { factor: 1 }, next: { params: { factor: 1 } } });
    const to = await ok(post(`/${id}/run-to`, { step: 'transform' }, {}, other));
    expect([units(to['steps']), to['stopped']]).toEqual([['transform'], 'done']);
    expect(await ok(api.call('GET', `${PATH}/${id}/peek`))).toMatchObject({
      type: 'work',
      unit: 'validate',
      params: { values: [1, 2, 3, 4, 5] },
    });
    expect(await ok(post(`/${id}/run-all`, {}))).toMatchObject({ session: { status: 'completed' } });
    expect(await ok(other.call('GET', `${PATH}/${id}/context`))).toMatchObject({
      params: { factor: 1, max_value: 8 },
      outputs: { transform: { values: [1, 2, 3, 4, 5] }, validate: { valid: true } },
      statuses: { fetch: 'completed', transform: 'completed', validate: 'completed' },
      remaining: [],
    });
    const page = await api.call('GET', `${PATH}/${id}/history?limit=2`);
    const next = await api.call(
      'GET',
      `${PATH}/${id}/history?limit=2&cursor=${String(page.body['page']?.['next_cursor'])}`,
    );
    expect([...units(page.body['data']), ...units(next.body['data'])]).toEqual([
      'fetch',
      'transform',
      'validate',
    ]);
    expect(next.body['page']).toMatchObject({ total: 3, has_more: false, next_cursor: null });

    // At the end there is nothing to do, and nothing is written.
    const end = await post(`/${id}/step`, {});
    expect(end.body['data']).toMatchObject({ stopped: 'ended', steps: [] });
    const reset = await ok(post(`/${id}/reset`, {}));
    expect(reset).toMatchObject({
      revision: Number(end.body['data']?.['session']?.['revision']) + 1,
      step_count: 0,
      params: { factor: 2 },
      status: 'running',
    });
    expect((await post(`/${id}/step-back`, {})).status).toBe(409);
    expect(calls).toBe(before + 1);
  });

  it('answers what it is told to, and nothing in particular else', async () => {
    const definition = {
      name: 'inline',
      policy: { mode: 'parallel' },
      steps: [
        { kind: 'operation', name: 'load', handler: 'no.such', retry: { max_retries: 1 } },
        { kind: 'operation', name: 'store', handler: 'no.such', depends_on: ['load'] },
        { kind: 'approval', name: 'ask', approvers: ['ada'], depends_on: ['store'] },
        { kind: 'wait', name: 'go', wait: { signal: 'go' }, depends_on: ['ask'] },
        { kind: 'workflow', name: 'child', workflow: 'no.such', depends_on: ['go'] },
      ],
      outputs: { word: '{{ steps.go.output.word }}', rows: '{{ steps.load.output.rows }}' },
    };
    const failure = { status: 'fail', error: { message: 'away', category: 'NETWORK' } };
    const { id, data } = await created({
      definition,
      answers: { load: [failure, { status: 'ok', output: { rows: 3 } }] },
    });
    expect(data).toMatchObject({
      workflow: 'inline',
      version: null,
      mode: 'stub',
      environment: 'production',
    });
    const went = await ok(
      post(`/${id}/run-to`, { step: 'store', answers: { child: { status: 'skip', reason: 'no' } } }),
    );
    expect(listIn(went['steps'])).toMatchObject([
      { unit: 'load', result: { status: 'fail', error: { message: 'away', retryable: true } }, settled: [] },
      { type: 'timer', unit: 'load#1:retry' },
      { unit: 'load', result: { output: { rows: 3 } } },
      { unit: 'store', result: { output: {} }, settled: [{ step: 'store', status: 'completed' }] },
    ]);
    const peek = await ok(api.call('GET', `${PATH}/${id}/peek`));
    expect(peek).toMatchObject({ type: 'timer', approvals: ['ask'] });
    const wrong = await post(`/${id}/decide`, { step: 'ask', approved: true, by: 'bob' });
    expect([wrong.status, String(wrong.body['code'])]).toEqual([409, 'CONFLICT']);
    expect((await post(`/${id}/decide`, { step: 'load', approved: true, by: 'ada' })).status).toBe(409);
    await ok(post(`/${id}/decide`, { step: 'ask', approved: true, by: 'ada', comment: 'fine' }));
    const waits = await ok(post(`/${id}/run-all`, {}, {}, other));
    expect(waits).toMatchObject({ stopped: 'waiting', steps: [], session: { next: { signals: ['go'] } } });
    await ok(post(`/${id}/signal`, { name: 'go', data: { word: 'now' } }));
    expect(await ok(post(`/${id}/run-all`, { max_steps: 1 }))).toMatchObject({
      stopped: 'ended',
      session: { status: 'completed', next: { outputs: { word: 'now', rows: 3 } } },
    });
  });

  it('stops where a call may not go further, and goes on with the next one', async () => {
    const yaml = `
apiVersion: spine.io/v1
kind: Workflow
metadata: { name: from.yaml }
spec:
  steps:
    - { name: a, kind: lambda, handler: x }
    - { name: b, kind: lambda, handler: x }
    - { name: c, kind: lambda, handler: x }
`;
    const { id } = await created({ yaml_content: yaml });
    expect(await ok(post(`/${id}/run-all`, { max_steps: 2 }))).toMatchObject({ stopped: 'limit' });
    expect(await ok(post(`/${id}/run-all`, { max_steps: 2 }))).toMatchObject({ stopped: 'ended' });
  });

  it('gives the answers of a run in production, and takes a changed definition', async () => {
    const submitted = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'workflow', name: 'debug.pipeline', params: { factor: 1 } },
    });
    expect(submitted.status, submitted.text).toBe(202);
    const runId = String(submitted.body['data']?.['run_id']);
    const run = await runWithStatus(api, runId, 'completed');
    const before = calls;
    const { id, data } = await created({ mode: 'recorded', run_id: runId });
    expect(data).toMatchObject({ workflow: 'debug.pipeline', run_id: runId, params: { factor: 1 } });
    expect(await ok(post(`/${id}/run-all`, {}))).toMatchObject({
      session: { status: 'completed', next: { outputs: run['result'] } },
    });
    const more = { kind: 'lambda', name: 'more', handler: 'fetch' };
    const changed = await created({
      mode: 'recorded',
      run_id: runId,
      definition: { ...pipeline, steps: [...pipeline.steps, more] },
    });
    const end = await ok(post(`/${changed.id}/run-all`, {}));
    expect(listIn(end['steps']).at(-1)).toMatchObject({
      unit: 'more',
      result: { status: 'fail', error: { type: 'NotRecorded' } },
    });
    expect(calls).toBe(before);

    const later = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'workflow', name: 'debug.pipeline', params: {}, run_after: '2100-01-01T00:00:00Z' },
    });
    const none = await post('', { mode: 'recorded', run_id: String(later.body['data']?.['run_id']) });
    expect([none.status, none.text]).toEqual([409, expect.stringContaining('has not begun')]);
  });
});

describe('two at once', () => {
  it('do not both step: one wins, the other is told', async () => {
    const { id } = await created({ workflow: 'debug.pipeline' });
    const headers = { 'if-match': '"1"' };
    const answers = await Promise.all([
      ...[api, other, api, other].map((on) => post(`/${id}/step`, {}, { headers }, on)),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409]);
    const { status, headers: sent, body } = await api.call('GET', `${PATH}/${id}`);
    expect([status, sent.get('etag')]).toEqual([200, '"2"']);
    expect(body['data']).toMatchObject({ step_count: 1, revision: 2 });
    // A request that is sent again counts once.
    expect((await post(`/${id}/step`, {}, { headers })).status).toBe(409);
    expect((await post(`/${id}/step`, {}, { headers: { 'if-match': 'two' } })).status).toBe(400);
  });

  it('do not both make the last session there is room for', async () => {
    const session: NewPlaygroundSession = {
      createdBy: 'crowd',
      workflowName: 'w',
      workflowVersion: null,
      mode: 'stub',
      sourceRunId: null,
      setup: '{}',
      answers: '{}',
      moves: '[]',
      stateHash: '0'.repeat(64),
      status: 'running',
      stepCount: 0,
      ttlSeconds: 60,
    };
    const quota = { perCaller: 1, total: 1_000 };
    // One makes the last session and has not committed: the other waits for it, in place of not seeing it.
    const first = await api.engine.pool.connect();
    try {
      await first.query('BEGIN');
      await first.query(`SELECT pg_advisory_xact_lock(hashtextextended('spine.playground.sessions', 0))`);
      await first.query(`${INSERT_SESSIONS} 'crowd', 'w' FROM generate_series(1, 1)`);
      const second = createPlaygroundSession(api.engine.db, session, quota);
      await waitFor(async () => {
        const { rows } = await api.engine.pool.query(
          `SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
        );
        return rows.length > 0;
      });
      await first.query('COMMIT');
      expect(await second).toEqual({ type: 'over_quota', of: 'caller', quota: 1 });
    } finally {
      first.release(true);
    }
    const full = await createPlaygroundSession(
      api.engine.db,
      { ...session, createdBy: 'x' },
      { ...quota, total: 1 },
    );
    expect(full).toEqual({ type: 'over_quota', of: 'all', quota: 1 });
    // What has expired makes room.
    await api.engine.pool.query(`UPDATE playground_sessions SET updated_at = now() - interval '2 s',
      expires_at = now() - interval '1 s' WHERE created_by = 'crowd'`);
    expect(await createPlaygroundSession(api.engine.db, session, quota)).toMatchObject({ type: 'created' });
    await api.engine.pool.query(`DELETE FROM playground_sessions WHERE created_by = 'crowd'`);
  });
});

it('tells whose sessions are as many as may be', async () => {
  await api.engine.pool.query(`${INSERT_SESSIONS} 'api', 'crowd' FROM generate_series(1, 100)`);
  const { status, body, headers } = await post('', { workflow: 'debug.pipeline' });
  expect([status, String(body['code']), headers.get('retry-after')]).toEqual([429, 'QUOTA_EXCEEDED', '60']);
  await api.engine.pool.query(`DELETE FROM playground_sessions WHERE workflow_name = 'crowd'`);
});

describe('what is over', () => {
  it('is not there: an expired session, for whatever is asked of it', async () => {
    const { id } = await created({ workflow: 'debug.pipeline', ttl_seconds: 60 });
    await api.engine.pool.query(`UPDATE playground_sessions SET updated_at = now() - interval '2 s',
      expires_at = now() - interval '1 s' WHERE session_id = '${id}'`);
    const asked = [
      api.call('GET', `${PATH}/${id}`),
      api.call('GET', `${PATH}/${id}/peek`),
      post(`/${id}/step`, {}),
      post(`/${id}/reset`, {}),
      api.call('DELETE', `${PATH}/${id}`),
    ];
    expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    const { body } = await api.call('GET', PATH);
    expect(listIn(body['data']).map(({ session_id }) => String(session_id))).not.toContain(id);
  });

  it('is gone when it is deleted; the others are listed in pages, newest first', async () => {
    const made = [];
    for (let n = 0; n < 3; n += 1) made.push(await created({ definition: { ...pipeline, name: 'listed' } }));
    const ids = made.map(({ id }) => id).reverse();
    const first = await api.call('GET', `${PATH}?workflow=listed&limit=2`);
    const cursor = String(first.body['page']?.['next_cursor']);
    const second = await api.call('GET', `${PATH}?workflow=listed&limit=2&cursor=${cursor}`);
    const listed = [...listIn(first.body['data']), ...listIn(second.body['data'])];
    expect(listed.map(({ session_id }) => String(session_id))).toEqual(ids);
    expect(second.body['page']).toMatchObject({ total: 3, has_more: false });
    expect((await api.call('DELETE', `${PATH}/${String(ids[0])}`)).status).toBe(200);
    expect((await api.call('DELETE', `${PATH}/${String(ids[0])}`)).status).toBe(404);
    const others = await api.call('GET', `${PATH}?created_by=nobody`);
    expect(listIn(others.body['data'])).toEqual([]);
  });

  it('is told where its moves lead elsewhere now, and can be reset', async () => {
    const { id } = await created({ workflow: 'debug.pipeline' });
    await ok(post(`/${id}/step`, {}));
    await api.engine.pool.query(
      `UPDATE playground_sessions SET state_hash = repeat('0', 64) WHERE session_id = '${id}'`,
    );
    const told = await post(`/${id}/step`, {});
    expect([told.status, told.text]).toEqual([409, expect.stringContaining('another release')]);
    expect(await ok(post(`/${id}/reset`, {}))).toMatchObject({ step_count: 0 });
    expect(await ok(post(`/${id}/step`, {}))).toMatchObject({ stopped: 'done' });
  });
});

describe('what is refused', () => {
  const steps = [{ kind: 'lambda', name: 'a', handler: 'fetch' }];
  const many = Array.from({ length: 501 }, (_, n) => ({ kind: 'lambda', name: `s${n}`, handler: 'x' }));
  it.each<[string, unknown, number, string]>([
    ['nothing to go through', {}, 400, 'workflow'],
    ['two things', { workflow: 'debug.pipeline', definition: { name: 'x', steps } }, 400, 'definition'],
    ['a version of none', { definition: { name: 'x', steps }, version: 1 }, 400, 'version'],
    ['no workflow', { definition: { name: 'x' } }, 400, 'definition.steps'],
    [
      'a cycle',
      { definition: { name: 'x', steps: [{ ...steps[0], depends_on: ['a'] }] } },
      400,
      'definition.steps[0].depends_on',
    ],
    ['too many steps', { definition: { name: 'x', steps: many } }, 400, 'definition.steps'],
    ['no YAML', { yaml_content: 'a: [' }, 400, ''],
    ['an unknown mode', { workflow: 'debug.pipeline', mode: 'real' }, 400, 'mode'],
    ['a recording of nobody', { mode: 'recorded' }, 400, 'run_id'],
    ['a run without a recording', { workflow: 'debug.pipeline', run_id: UNKNOWN }, 400, 'run_id'],
    ['an id of no run', { mode: 'recorded', run_id: '../1' }, 400, 'run_id'],
    [
      'an answer to no step',
      { workflow: 'debug.pipeline', answers: { no: { status: 'ok' } } },
      400,
      'answers.no',
    ],
    [
      'an answer of no shape',
      { workflow: 'debug.pipeline', answers: { fetch: { rows: 1 } } },
      400,
      'answers.fetch',
    ],
    ['a life too short', { workflow: 'debug.pipeline', ttl_seconds: 1 }, 400, 'ttl_seconds'],
    ['an unknown field', { workflow: 'debug.pipeline', handler: 'x' }, 400, 'handler'],
    [
      'a handler that is not safe',
      { mode: 'live', definition: { name: 'x', steps: [{ ...steps[0], handler: 'writes' }] } },
      400,
      'definition.steps[0].handler',
    ],
    ['an unknown workflow', { workflow: 'no.such' }, 404, ''],
    ['an unknown version', { workflow: 'debug.pipeline', version: 99 }, 404, ''],
    ['an unknown run', { mode: 'recorded', run_id: UNKNOWN }, 404, ''],
    ['too much', { definition: { name: 'x', steps }, params: { text: 'x'.repeat(1_048_576) } }, 413, ''],
  ])('for a session: %s', async (_label, json, status, field) => {
    const answer = await post('', json);
    expect(answer.status, answer.text).toBe(status);
    if (field !== '') expect(answer.text).toContain(JSON.stringify(field));
  });

  it('of a session: steps, params, decisions and signals that are none, and what does not exist', async () => {
    const { id } = await created({ workflow: 'debug.pipeline' });
    const refused: [string, unknown, number][] = [
      ['run-to', {}, 400],
      ['run-to', { step: 'nowhere' }, 400],
      ['run-all', { max_steps: 0 }, 400],
      ['run-all', { max_steps: 1_001 }, 400],
      ['step', { answers: { nowhere: { status: 'ok' } } }, 400],
      ['step', { answers: { fetch: [] } }, 400],
      ['step', { more: 1 }, 400],
      ['step-back', { steps: 2 }, 400],
      ['step-back', {}, 409],
      ['decide', { step: 'fetch', approved: 'yes', by: 'ada' }, 400],
      ['decide', { step: 'fetch', approved: true, by: 'ada' }, 409],
      ['signal', { name: '../x' }, 400],
    ];
    for (const [what, json, status] of refused) {
      const answer = await post(`/${id}/${what}`, json);
      expect(answer.status, `${what} ${JSON.stringify(json)}: ${answer.text}`).toBe(status);
    }
    for (const json of [{}, { params: {} }, { params: [] }, { factor: 1 }])
      expect((await api.call('PUT', `${PATH}/${id}/params`, { json })).status).toBe(400);
    expect((await api.call('GET', `${PATH}/${id}/history?cursor=x`)).status).toBe(400);
    expect(await ok(api.call('GET', `${PATH}/${id}`))).toMatchObject({ revision: 1, step_count: 0 });
    for (const what of ['step', 'step-back', 'run-all', 'reset'])
      expect((await post(`/${UNKNOWN}/${what}`, {})).status).toBe(404);
    expect((await api.call('GET', `${PATH}/nothing`)).status).toBe(404);
  });

  it('more moves, or larger ones, than a session keeps', async () => {
    const { id } = await created({ definition: { name: 'x', steps } });
    const text = 'x'.repeat(900_000);
    const set = (on: string) => api.call('PUT', `${PATH}/${id}/params`, { json: { params: { [on]: text } } });
    expect([(await set('a')).status, (await set('b')).status, (await set('c')).status]).toEqual([
      200, 200, 413,
    ]);
    // A thousand moves that lead to where one of them does.
    const same = await created({ definition: { name: 'x', steps } });
    await ok(api.call('PUT', `${PATH}/${same.id}/params`, { json: { params: { n: 1 } } }));
    const moves = Array.from({ length: 1_000 }, () => ({ type: 'params', params: { n: 1 } }));
    await api.engine.pool.query('UPDATE playground_sessions SET moves = $2 WHERE session_id = $1', [
      same.id,
      JSON.stringify(moves),
    ]);
    const full = await post(`/${same.id}/step`, {});
    expect([full.status, full.text]).toEqual([409, expect.stringContaining('1000 moves')]);
    expect(await ok(post(`/${same.id}/reset`, {}))).toMatchObject({ step_count: 0 });
  });
});

describe('the table', () => {
  const lawful: Readonly<Record<string, unknown>> = {
    created_by: 'test',
    workflow_name: 'w',
    mode: 'stub',
    setup: '{}',
    answers: '{}',
    moves: '[]',
    state_hash: '0'.repeat(64),
    status: 'running',
    ttl_seconds: 60,
    expires_at: '2100-01-01T00:00:00Z',
  };
  const insert = (more: Readonly<Record<string, unknown>>) => {
    const row = { session_id: newId(), ...lawful, ...more };
    const places = Object.keys(row).map((_name, index) => `$${index + 1}`);
    return api.engine.pool.query(
      `INSERT INTO playground_sessions (${Object.keys(row).join(', ')}) VALUES (${places.join(', ')})`,
      Object.values(row),
    );
  };

  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['playground_sessions_mode', { mode: 'real' }],
    ['playground_sessions_source', { mode: 'recorded' }],
    ['playground_sessions_source', { source_run_id: UNKNOWN }],
    ['playground_sessions_status', { status: 'paused' }],
    ['playground_sessions_hash', { state_hash: 'x' }],
    ['playground_sessions_counts', { revision: 0 }],
    ['playground_sessions_counts', { ttl_seconds: 0 }],
    ['playground_sessions_counts', { workflow_version: 0 }],
    ['playground_sessions_moves', { moves: '{}' }],
    ['playground_sessions_moves', { step_count: 1 }],
    ['playground_sessions_expiry', { expires_at: '2000-01-01T00:00:00Z' }],
  ])('refuses by %s %j', async (constraint, more) => {
    await expect(insert(more)).rejects.toMatchObject({ code: '23514', constraint });
  });

  it('takes what is lawful, and keeps what a session was made of', async () => {
    await insert({});
    for (const column of ['setup', 'created_by', 'mode', 'ttl_seconds'])
      await expect(
        api.engine.pool.query(`UPDATE playground_sessions SET ${column} = ${column}`),
      ).rejects.toMatchObject({ code: '42501' });
  });
});
