/** The endpoints of workflow runs that are under way. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { listIn, runWithStatus, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';

const UNKNOWN = '01890000-0000-7000-8000-000000000000';

let api: Api;
let driver: WorkflowDriver;
beforeAll(async () => {
  const workflows = new WorkflowRegistry()
    .registerFunction('echo', (params) => params)
    .registerWorkflow({
      name: 'test.asks',
      steps: [
        { kind: 'wait', name: 'word', wait: { signal: 'go' } },
        { kind: 'lambda', name: 'echo', handler: 'echo', params: { word: '{{ steps.word.output.word }}' } },
        { kind: 'approval', name: 'ask', approvers: ['ada'] },
        { kind: 'lambda', name: 'last', handler: 'echo', params: { by: '{{ steps.ask.output.by }}' } },
      ],
      outputs: { last: '{{ steps.last.output }}' },
    });
  api = await startApi({ register: (registry) => void workflows.registerHandlers(registry) });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
});
afterAll(async () => {
  await driver.stop();
  await api.close();
});

async function started(): Promise<string> {
  const { body } = await api.call('POST', '/api/v1/runs', {
    json: { kind: 'workflow', name: 'test.asks', params: {} },
  });
  const runId = String(body['data']?.['run_id']);
  await waitFor(async () => {
    const { rows } = await api.engine.pool.query('SELECT 1 FROM workflow_runs WHERE run_id = $1', [runId]);
    return rows.length === 1;
  });
  return runId;
}

async function asks(runId: string): Promise<void> {
  await waitFor(async () => {
    const { rows } = await api.engine.pool.query(
      'SELECT 1 FROM workflow_approvals WHERE workflow_run_id = $1',
      [runId],
    );
    return rows.length === 1;
  });
}

describe('a workflow run over HTTP', () => {
  it('is signalled and approved to its end, and shows its steps', async () => {
    const runId = await started();
    const path = `/api/v1/runs/${runId}`;
    const early = await api.call('POST', `${path}/steps/ask/approve`, { json: { by: 'ada' } });
    expect(early.status).toBe(409);
    const signal = await api.call('POST', `${path}/signal`, { json: { name: 'go', data: { word: 'now' } } });
    expect([signal.status, signal.body['data']]).toEqual([202, { run_id: runId, told: true }]);
    await asks(runId);
    const wrong = await api.call('POST', `${path}/steps/ask/approve`, { json: { by: 'bob' } });
    expect([wrong.status, String(wrong.body['code'])]).toEqual([403, 'FORBIDDEN']);
    expect((await api.call('POST', `${path}/steps/ask/approve`, { json: { by: 'ada' } })).status).toBe(202);
    const run = await runWithStatus(api, runId, 'completed');
    expect(run['result']).toEqual({ last: { by: 'ada' } });
    const audit = await api.call('GET', '/api/v1/audit?target=ask');
    const targets = { run_id: runId, step: 'ask' };
    expect(listIn(audit.body['data'])).toMatchObject([
      { targets, status: 202, after: { approved: true, by: 'ada' } },
      { targets, status: 403, after: null },
      { targets, status: 409, after: null },
    ]);
    const first = await api.call('GET', `${path}/steps?limit=1`);
    expect(first.body['page']).toMatchObject({ total: 2, has_more: true });
    const next = await api.call(
      'GET',
      `${path}/steps?limit=1&cursor=${String(first.body['page']?.['next_cursor'])}`,
    );
    expect([...listIn(first.body['data']), ...listIn(next.body['data'])]).toMatchObject([
      { unit: 'echo', attempt: 1, kind: 'step', run_kind: 'step', status: 'completed', error: null },
      { unit: 'last', attempt: 1, status: 'completed' },
    ]);
    expect((await api.call('POST', `${path}/signal`, { json: { name: 'go' } })).status).toBe(409);
  });

  it('fails when what it asks is rejected', async () => {
    const runId = await started();
    await api.call('POST', `/api/v1/runs/${runId}/signal`, { json: { name: 'go', data: { word: 'now' } } });
    await asks(runId);
    const rejected = await api.call('POST', `/api/v1/runs/${runId}/steps/ask/reject`, {
      json: { by: 'ada', comment: 'no' },
    });
    expect(rejected.status).toBe(202);
    await runWithStatus(api, runId, 'dead_lettered');
  });

  it.each(['steps', 'signal', 'steps/ask/approve', 'steps/ask/reject'])(
    'says that an unknown run has no %s',
    async (what) => {
      const json = what === 'signal' ? { name: 'go' } : { by: 'ada' };
      const answer = await api.call(what === 'steps' ? 'GET' : 'POST', `/api/v1/runs/${UNKNOWN}/${what}`, {
        ...(what === 'steps' ? {} : { json }),
      });
      expect(answer.status).toBe(404);
    },
  );

  it('asks who decides, where no key says it', async () => {
    const answer = await api.call('POST', `/api/v1/runs/${UNKNOWN}/steps/ask/approve`, { json: {} });
    expect([answer.status, listIn(answer.body['errors'])]).toMatchObject([400, [{ field: 'by' }]]);
  });

  it('refuses a signal without a name, and one with a name that is none', async () => {
    const path = `/api/v1/runs/${UNKNOWN}/signal`;
    for (const json of [{}, { name: '../x' }, { name: 'go', data: [] }, { name: 'go', more: 1 }]) {
      expect((await api.call('POST', path, { json })).status).toBe(400);
    }
  });
});
