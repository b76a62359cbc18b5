/** Runs that pretend to be what the engine makes: steps of somebody's workflow, continuations, forks. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RESERVED_METADATA } from '@spine/execution';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { waitFor } from '@spine/testing';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';

const ADMIN = randomKey();

let api: Api;
let driver: WorkflowDriver;
let submitter: string;

function call(key: string, method: string, path: string, json?: unknown): Promise<Answer> {
  const init = { headers: { 'x-api-key': key }, ...(json === undefined ? {} : { json }) };
  return api.call(method, `/api/v1${path}`, init);
}

const dataOf = ({ body }: Answer): Json => body['data'] ?? {};

beforeAll(async () => {
  const workflows = new WorkflowRegistry()
    .registerFunction('pass', (params) => params)
    .registerWorkflow({
      name: 'victim',
      steps: [
        { kind: 'wait', name: 'word', wait: { signal: 'go' } },
        { kind: 'lambda', name: 'step', handler: 'pass', params: { from: 'the workflow' } },
      ],
      outputs: { from: '{{ steps.step.output.from }}' },
    });
  api = await startApi({ keys: [ADMIN], register: (registry) => void workflows.registerHandlers(registry) });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
  const { body } = await call(ADMIN, 'POST', '/keys', { name: 'submitter', scopes: ['submit'] });
  submitter = String(body['data']?.['key']);
});
afterAll(async () => {
  await driver.stop();
  await api.close();
});

async function ended(runId: string): Promise<Json> {
  let run: Json = {};
  await waitFor(async () => {
    run = dataOf(await call(ADMIN, 'GET', `/runs/${runId}`));
    return String(run['completed_at']) !== 'null';
  });
  return run;
}

describe('a run that is submitted as the child of a workflow', () => {
  it('is no step of it, whatever it says it is: the workflow hears nothing and ends as ever', async () => {
    const victim = String(
      dataOf(await call(ADMIN, 'POST', '/runs', { kind: 'workflow', name: 'victim' }))['run_id'],
    );
    await waitFor(async () => {
      const { rows } = await api.engine.pool.query('SELECT 1 FROM workflow_runs WHERE run_id = $1', [victim]);
      return rows.length === 1;
    });
    const params = { from: 'somebody else' };
    for (const kind of ['step', 'task'] as const) {
      const name = kind === 'step' ? 'lambda.pass' : 'echo';
      const forged = await call(submitter, 'POST', '/runs', {
        ...{ kind, name, params, parent_run_id: victim },
        metadata: { step: 'step', unit: 'step', attempt: 1, step_attempt: 1, workflow: 'victim' },
      });
      expect(forged.status, forged.text).toBe(202);
      await ended(String(dataOf(forged)['run_id']));
    }
    expect((await call(ADMIN, 'POST', `/runs/${victim}/signal`, { name: 'go' })).status).toBe(202);
    const run = await ended(victim);
    expect(run).toMatchObject({ status: 'completed', result: { from: 'the workflow' } });
    const history = listIn((await call(ADMIN, 'GET', `/runs/${victim}/history`)).body['data']);
    expect(history.filter(({ type }) => String(type) === 'step_settled')).toHaveLength(1);
    expect(JSON.stringify(history)).not.toContain('somebody else');
  });
});

describe('metadata that the engine believes', () => {
  const work = { kind: 'workflow', name: 'victim' };
  const schedule = {
    ...{ name: 'forged', target_type: 'workflow', target_name: 'victim' },
    ...{ schedule_type: 'interval', interval_seconds: 3_600 },
  };

  it.each(RESERVED_METADATA)('%s is nobody’s to write', async (name) => {
    const metadata = { mine: 1, [name]: '01930000-0000-7000-8000-00000000abcd' };
    const one = await call(ADMIN, 'POST', '/runs', { ...work, metadata });
    expect([one.status, listIn(one.body['errors'])]).toMatchObject([400, [{ field: `metadata.${name}` }]]);
    const many = await call(ADMIN, 'POST', '/runs/batch', { runs: [{ ...work, metadata }] });
    expect(listIn(dataOf(many)['items'])).toMatchObject([{ outcome: 'refused' }]);
    expect((await call(ADMIN, 'POST', '/schedules', { ...schedule, metadata })).status).toBe(400);
    const { body } = await call(ADMIN, 'GET', '/runs?workflow=victim&status=queued,running');
    expect(listIn(body['data'])).toEqual([]);
  });
});
