/** Workflow runs over HTTP: looked at, asked, changed, run again, forked, undone, recorded. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  defineWorkflow,
  DefinitionVersions,
  recordingFromJson,
  replayRecording,
  WorkflowDriver,
  WorkflowRegistry,
} from '@spine/orchestration';
import type { WorkflowInput } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { anyText, listIn, runWithStatus, startApi } from './api-support.ts';
import type { Answer, Api } from './api-support.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';

const seen: WorkflowInput = {
  name: 'test.seen',
  policy: { mode: 'parallel' },
  steps: [
    {
      kind: 'lambda',
      name: 'load',
      handler: 'echo',
      params: { n: '{{ params.n }}' },
      compensate: { kind: 'lambda', handler: 'echo', params: { undo: true } },
    },
    {
      kind: 'map',
      name: 'each',
      items: [1, 2],
      dependsOn: ['load'],
      iterator: [{ kind: 'lambda', name: 'one', handler: 'echo', params: { item: '{{ item }}' } }],
    },
    { kind: 'wait', name: 'word', wait: { signal: 'go' }, dependsOn: ['each'] },
    { kind: 'lambda', name: 'last', handler: 'echo', dependsOn: ['word'], params: { n: '{{ params.n }}' } },
  ],
};

let api: Api;
let driver: WorkflowDriver;
beforeAll(async () => {
  const workflows = new WorkflowRegistry()
    .registerFunction('echo', (params) => params)
    .registerWorkflow(seen);
  api = await startApi({ register: (registry) => void workflows.registerHandlers(registry) });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
});
afterAll(async () => {
  await driver.stop();
  await api.close();
});

const call = (method: string, path: string, json?: unknown): Promise<Answer> =>
  api.call(method, `/api/v1/runs/${path}`, json === undefined ? {} : { json });

const data = (answer: Answer) => answer.body['data'] ?? {};

async function statusOf(runId: string, step: string, status: string): Promise<void> {
  await waitFor(async () => {
    const view = await call('GET', `${runId}/workflow`);
    if (view.status !== 200) return false;
    const found = listIn(data(view)['steps']).find((each) => String(each['name']) === step);
    return String(found?.['status']) === status;
  });
}

async function waiting(): Promise<string> {
  const { body } = await api.call('POST', '/api/v1/runs', {
    json: { kind: 'workflow', name: 'test.seen', params: { n: 1 } },
  });
  const runId = String(body['data']?.['run_id']);
  await statusOf(runId, 'word', 'waiting');
  return runId;
}

async function completed(): Promise<string> {
  const runId = await waiting();
  await call('POST', `${runId}/signal`, { name: 'go', data: {} });
  await runWithStatus(api, runId, 'completed');
  return runId;
}

describe('a workflow run over HTTP', () => {
  it('is looked at while it waits', async () => {
    const runId = await waiting();
    const view = await call('GET', `${runId}/workflow?limit=3&format=ascii`);
    expect([view.status, data(view)]).toMatchObject([
      200,
      {
        run_id: runId,
        workflow: 'test.seen',
        version: 1,
        phase: 'running',
        engine: 'active',
        outcome: null,
        picture: anyText,
        progress: { total: 4, settled: 2, by_status: { completed: 2, waiting: 1, pending: 1 } },
        steps: [
          { name: 'load', status: 'completed', output: { n: 1 }, waits_for: null },
          { name: 'each', items: { count: 2, succeeded: 2, not_started: 0 } },
          { name: 'word', waits_for: { type: 'signal', signal: 'go', until: null } },
        ],
        steps_page: { has_more: true },
      },
    ]);
    const cursor = String(data(view)['steps_page']?.['next_cursor']);
    const next = await call('GET', `${runId}/workflow?cursor=${cursor}`);
    expect(data(next)['steps']).toMatchObject([
      { name: 'last', waits_for: { type: 'steps', steps: ['word'], count: 1 } },
    ]);
    const image = await call('GET', `${runId}/picture`);
    expect(image.headers.get('content-type')).toBe('image/svg+xml');
    expect(image.headers.get('content-security-policy')).toContain('sandbox');
    expect(image.text).toMatch(/fill="#fde68a"[^]*>word<\/text>/);
    expect((await call('GET', `${runId}/picture?format=dot`)).text).toMatch(/^digraph/);
    const items = await call('GET', `${runId}/steps/each/items?limit=1&offset=1`);
    expect(items.body).toMatchObject({
      data: [{ index: 1, status: 'completed', input: 2, outputs: { one: { item: 2 } } }],
      page: { total: 2, has_more: false },
    });
    expect((await call('GET', `${runId}/steps/word/items`)).status).toBe(409);
    const asked = await call('POST', `${runId}/query`, { name: 'outputs', steps: ['load'] });
    expect(data(asked)).toMatchObject({ name: 'outputs', answer: { outputs: { load: { n: 1 } } } });
    const step = await call('POST', `${runId}/query`, { name: 'step', step: 'word' });
    expect(data(step)).toMatchObject({ answer: { step: { name: 'word', status: 'waiting' } } });
    expect((await call('POST', `${runId}/query`, { name: 'step', step: 'nobody' })).status).toBe(404);
    expect((await call('POST', `${runId}/query`, { name: 'secrets' })).status).toBe(400);
    expect((await call('GET', `${runId}/recording`)).status).toBe(409);
    await call('POST', `${runId}/cancel`);
  });

  it('has a history in pages', async () => {
    const runId = await completed();
    const numbers: number[] = [];
    let cursor = '';
    do {
      const page = await call('GET', `${runId}/history?limit=2${cursor}`);
      expect(page.body['page']).toMatchObject({ total: 6 });
      numbers.push(...listIn(page.body['data']).map((event) => Number(event['event_no'])));
      const next = page.body['page']?.['next_cursor'];
      cursor = next === null ? '' : `&cursor=${String(next)}`;
    } while (cursor !== '');
    expect(numbers).toEqual([1, 2, 3, 4, 5, 6]);
    expect((await call('GET', `${runId}/history?cursor=bm9uZQ`)).status).toBe(400);
  });

  it('is recorded, and the recording replays without a difference', async () => {
    const recording = await call('GET', `${await completed()}/recording`);
    expect(recording.body['warnings']).toEqual([]);
    const replay = await replayRecording(
      recordingFromJson(JSON.stringify(data(recording))),
      defineWorkflow(seen),
    );
    expect(replay.diffs).toEqual([]);
  });

  it('is forked, and a step of it runs again', async () => {
    const runId = await completed();
    const forked = await call('POST', `${runId}/fork`, {
      from_step: 'last',
      params: { n: 7 },
      reason: 'again',
    });
    expect([forked.status, data(forked)]).toMatchObject([
      202,
      { forked_from: runId, from_step: 'last', taken_over: ['load', 'each', 'word'] },
    ]);
    const newId = String(data(forked)['run_id']);
    expect(forked.headers.get('location')).toBe(`/api/v1/runs/${newId}`);
    expect((await runWithStatus(api, newId, 'completed'))['result']).toMatchObject({ last: { n: 7 } });
    expect(data(await call('GET', `${newId}/workflow`))).toMatchObject({ forked_from: runId });
    const again = await call('POST', `${runId}/steps/last/replay`);
    expect([again.status, data(again)]).toMatchObject([202, { mode: 'forked', forked_from: runId }]);
    await runWithStatus(api, String(data(again)['run_id']), 'completed');
    expect((await call('POST', `${runId}/steps/nobody/replay`, {})).status).toBe(404);
    expect((await call('POST', `${runId}/fork`, { from_step: 'nobody' })).status).toBe(404);
    expect((await call('POST', `${runId}/fork`, { step: 'last' })).status).toBe(400);
    const running = await waiting();
    const retried = await call('POST', `${running}/steps/load/replay`, { reason: 'look again' });
    expect([retried.status, data(retried)]).toEqual([
      202,
      { mode: 'retried', run_id: running, step: 'load' },
    ]);
    expect((await call('POST', `${running}/steps/last/replay`)).status).toBe(409);
    await call('POST', `${running}/cancel`);
  });

  it('is changed, and undone', async () => {
    const runId = await waiting();
    const skip = { modification: { type: 'skip_steps', steps: ['last'] } };
    const dry = await call('POST', `${runId}/modify`, { ...skip, dry_run: true });
    expect([dry.status, data(dry)]).toEqual([200, { run_id: runId, told: false, suspended: false }]);
    const told = await call('POST', `${runId}/modify`, { ...skip, reason: 'not today' });
    expect([told.status, data(told)['told']]).toEqual([202, true]);
    await statusOf(runId, 'last', 'skipped');
    const refused = await call('POST', `${runId}/modify`, skip);
    expect([refused.status, String(refused.body['detail'])]).toEqual([
      409,
      `run ${runId} cannot be changed like that: step last is skipped already`,
    ]);
    const missing = { type: 'replace_step', step: { kind: 'lambda', name: 'last', handler: 'nobody' } };
    const unknown = await call('POST', `${runId}/modify`, { modification: missing });
    expect([unknown.status, listIn(unknown.body['errors'])]).toMatchObject([
      400,
      [{ code: 'missing_handler' }],
    ]);
    const undone = await call('POST', `${runId}/cancel`, { undo: true, reason: 'a mistake' });
    expect([undone.status, data(undone)]).toEqual([
      202,
      { run_id: runId, status: 'undoing', previous_status: 'running' },
    ]);
    await runWithStatus(api, runId, 'cancelled');
    const view = await call('GET', `${runId}/workflow?limit=1`);
    expect(data(view)).toMatchObject({
      phase: 'ended',
      outcome: { status: 'cancelled' },
      steps: [{ undo: 'completed' }],
    });
    expect((await call('POST', `${runId}/cancel`, { undo: true })).status).toBe(409);
    expect((await call('POST', `${runId}/modify`, skip)).status).toBe(409);
  });

  it.each([
    ['GET', 'workflow', undefined],
    ['GET', 'history', undefined],
    ['GET', 'recording', undefined],
    ['GET', 'steps/load/items', undefined],
    ['POST', 'query', { name: 'state' }],
    ['POST', 'fork', { from_step: 'load' }],
    ['POST', 'steps/load/replay', {}],
    ['POST', 'modify', { modification: { type: 'retry_step', step: 'load' } }],
  ])('is a 404 of an unknown run: %s %s', async (method, path, json) => {
    expect((await call(method, `${UNKNOWN}/${path}`, json)).status).toBe(404);
  });

  it('is a 409 of a run that is no workflow', async () => {
    const { body } = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'task', name: 'echo', params: {} },
    });
    const runId = String(body['data']?.['run_id']);
    for (const path of ['workflow', 'history', 'recording']) {
      const answer = await call('GET', `${runId}/${path}`);
      expect([answer.status, String(answer.body['detail'])]).toEqual([
        409,
        `run ${runId} is a task, no workflow`,
      ]);
    }
    expect((await call('POST', `${runId}/fork`, { from_step: 'x' })).status).toBe(409);
  });
});
