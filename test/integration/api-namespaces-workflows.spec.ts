/** Workflow runs of a key that is confined to a namespace: with all they start, and told of nothing that others do. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DefinitionVersions, publishCode, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';
import { deferred } from './engine-run-support.ts';

const ADMIN = randomKey();
const held = deferred();

let api: Api;
let driver: WorkflowDriver;
let a: string;
let b: string;

function call(key: string, method: string, path: string, json?: unknown): Promise<Answer> {
  const init = { headers: { 'x-api-key': key }, ...(json === undefined ? {} : { json }) };
  return api.call(method, `/api/v1${path}`, init);
}

async function keyOf(namespace: string): Promise<string> {
  const scopes = ['read', 'submit', 'operate'];
  const { body } = await call(ADMIN, 'POST', '/keys', { name: namespace, scopes, namespace });
  return String(body['data']?.['key']);
}

const dataOf = ({ body }: Answer): Json => body['data'] ?? {};

async function start(key: string, name: string, json: object = {}): Promise<Json> {
  const answer = await call(key, 'POST', `/workflows/${name}/run`, { wait_seconds: 20, ...json });
  expect(answer.status, answer.text).toBe(200);
  return dataOf(answer);
}

/** A run with all that it has started. */
async function treeOf(runId: string): Promise<readonly Json[]> {
  const run = dataOf(await call(ADMIN, 'GET', `/runs/${runId}`));
  const children = listIn((await call(ADMIN, 'GET', `/runs?parent_run_id=${runId}`)).body['data']);
  const trees = await Promise.all(children.map((child) => treeOf(String(child['run_id']))));
  return [run, ...trees.flat()];
}

beforeAll(async () => {
  const workflows = new WorkflowRegistry()
    .registerFunction('pass', (params) => params)
    .registerWorkflow({
      name: 'inner',
      steps: [{ kind: 'lambda', name: 'only', handler: 'pass', params: { v: '{{ params.v }}' } }],
      outputs: { v: '{{ steps.only.output.v }}' },
    })
    .registerWorkflow({
      name: 'asks',
      steps: [{ kind: 'approval', name: 'ask', approvers: ['team-a', 'ada'] }],
      outputs: { by: '{{ steps.ask.output.by }}' },
    })
    .registerWorkflow({
      name: 'outer',
      steps: [
        { kind: 'workflow', name: 'sub', workflow: 'inner', params: { v: 'secret of a' } },
        { kind: 'lambda', name: 'last', handler: 'pass', dependsOn: ['sub'] },
      ],
    });
  api = await startApi({
    keys: [ADMIN],
    register: (registry) => {
      workflows.registerHandlers(registry);
      registry.registerTask(
        'turns',
        {
          description: 'One at a time.',
          params: z.strictObject({}),
          concurrency: { key: 'turns', limit: 1 },
        },
        () => held.promise.then(() => ({})),
      );
    },
  });
  await publishCode(api.engine.db, workflows.definitions.values(), silentLogger());
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
  [a, b] = await Promise.all([keyOf('team-a'), keyOf('team-b')]);
});
afterAll(async () => {
  held.resolve();
  await driver.stop();
  await api.close();
});

describe('a workflow run of a namespace', () => {
  it('gives it to its steps, its workflows and its forks, and is not seen by others', async () => {
    const run = await start(a, 'outer');
    const runId = String(run['run_id']);
    const forked = dataOf(await call(a, 'POST', `/runs/${runId}/fork`, { from_step: 'sub' }));
    const fork = String(forked['run_id']);
    await waitFor(
      async () => String(dataOf(await call(a, 'GET', `/runs/${fork}`))['status']) === 'completed',
      { timeoutMs: 20_000 },
    );
    const runs = [...(await treeOf(runId)), ...(await treeOf(fork))];
    const workflows = runs.filter((each) => String(each['kind']) === 'workflow');
    expect(workflows.map((each) => String(each['name'])).toSorted()).toEqual([
      'inner',
      'inner',
      'outer',
      'outer',
    ]);
    expect(runs.length).toBeGreaterThanOrEqual(8);
    expect(new Set(runs.map((each) => String(each['namespace'])))).toEqual(new Set(['team-a']));
    for (const path of ['/workflows/outer/runs', '/workflows/inner/runs', '/runs?limit=1000']) {
      expect(listIn((await call(b, 'GET', path)).body['data']), path).toEqual([]);
      expect(listIn((await call(a, 'GET', path)).body['data']).length, path).toBeGreaterThan(0);
    }
    for (const path of [`/runs?parent_run_id=${runId}`, `/runs?correlation_id=${runId}`]) {
      const { body } = await call(b, 'GET', path);
      expect([listIn(body['data']), body['page']?.['total']], path).toEqual([[], 0]);
    }
  });

  it.each([
    ['in the name of the key', () => a, undefined, 'team-a', /^key:/],
    ['in another name by an admin', () => ADMIN, 'ada', 'ada', /^static:1$/],
  ])('is decided %s, and keeps who it was', async (_, keyFor, by, name, via) => {
    const runId = String(dataOf(await call(a, 'POST', '/workflows/asks/run', {}))['run_id']);
    const decide = (key: string, json: object): Promise<Answer> =>
      call(key, 'POST', `/runs/${runId}/steps/ask/approve`, json);
    await waitFor(async () => {
      const { rows } = await api.engine.pool.query(
        'SELECT 1 FROM workflow_approvals WHERE workflow_run_id = $1',
        [runId],
      );
      return rows.length === 1;
    });
    const pretended = await decide(a, { by: 'ada' });
    expect(pretended.status).toBe(403);
    expect(pretended.text).toContain('in its own name, team-a');
    // An admin whose own name is not asked.
    expect((await decide(ADMIN, {})).status).toBe(403);
    expect((await decide(b, { by: 'team-a' })).status).toBe(404);
    const decided = await decide(keyFor(), by === undefined ? {} : { by });
    expect(decided.status, decided.text).toBe(202);
    await waitFor(
      async () => String(dataOf(await call(a, 'GET', `/runs/${runId}`))['status']) === 'completed',
    );
    const { rows } = await api.engine.pool.query(
      'SELECT decided_by, decided_via FROM workflow_approvals WHERE workflow_run_id = $1',
      [runId],
    );
    expect(rows).toEqual([{ decided_by: name, decided_via: expect.stringMatching(via) as string }]);
    const history = listIn((await call(a, 'GET', `/runs/${runId}/history`)).body['data']);
    const told = history.filter(({ type }) => String(type) === 'approval_decided');
    expect(told).toMatchObject([
      { data: { approved: true, by: name, via: expect.stringMatching(via) as string } },
    ]);
  });

  it('that is skipped is not told which run of others was there before', async () => {
    const partition = { week: '2025-12-12' };
    const first = await start(a, 'inner', { params: { v: 1 }, partition });
    const skipped = async (key: string): Promise<Json> =>
      (await start(key, 'inner', { params: { v: 1 }, partition }))['result'] ?? {};
    expect(await skipped(b)).toMatchObject({ status: 'skipped', run_id: null });
    expect(await skipped(a)).toMatchObject({ status: 'skipped', run_id: first['run_id'] });
  });
});

describe('a run that waits for a place which everybody shares', () => {
  it('is not told whose runs have it', async () => {
    const submit = async (key: string): Promise<string> =>
      String(dataOf(await call(key, 'POST', '/runs', { kind: 'task', name: 'turns' }))['run_id']);
    const holder = await submit(b);
    await waitFor(
      async () => String(dataOf(await call(b, 'GET', `/runs/${holder}`))['status']) === 'running',
    );
    const waits = await submit(a);
    const reasonsFor = async (key: string): Promise<Answer> => call(key, 'GET', `/runs/${waits}/explain`);
    await waitFor(async () => (await reasonsFor(ADMIN)).text.includes(holder));
    const told = await reasonsFor(a);
    expect(told.text).not.toContain(holder);
    const limited = listIn(dataOf(told)['reasons']).find(
      (each) => String(each['code']) === 'concurrency_limit',
    );
    expect(limited).toMatchObject({ key: 'turns', limit: 1, run_ids: [] });
  });
});
