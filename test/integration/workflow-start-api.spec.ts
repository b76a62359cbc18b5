/** Starting workflows, their runs and statistics, over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { archiveWorkflow } from '@spine/database';
import {
  DefinitionVersions,
  publishCode,
  QualityMetrics,
  StepResult,
  TrackedWorkflowRunner,
  WorkflowDriver,
  WorkflowRegistry,
} from '@spine/orchestration';
import { silentLogger } from '@spine/observability';
import { createEventRouter, createRunEventSource, tick } from '@spine/scheduling';
import { waitFor } from '@spine/testing';
import { listIn, runWithStatus, startApi } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';

let api: Api;
let driver: WorkflowDriver;
beforeAll(async () => {
  const workflows = new WorkflowRegistry()
    .registerFunction('double', ({ n }) =>
      StepResult.ok(
        { n: Number(n) * 2 },
        { quality: QualityMetrics.of({ recordCount: 10, validCount: 9, passed: true }) },
      ),
    )
    .registerFunction('fail', () => StepResult.fail('no data', { category: 'DATA_QUALITY' }))
    .registerWorkflow({
      name: 'test.double',
      steps: [{ kind: 'lambda', name: 'double', handler: 'double', params: { n: '{{ params.n }}' } }],
      outputs: { n: '{{ steps.double.output.n }}' },
    })
    .registerWorkflow({ name: 'test.fails', steps: [{ kind: 'lambda', name: 'fail', handler: 'fail' }] })
    .registerWorkflow({ name: 'test.gone', steps: [{ kind: 'lambda', name: 'double', handler: 'double' }] });
  api = await startApi({ register: (registry) => void workflows.registerHandlers(registry) });
  await publishCode(api.engine.db, workflows.definitions.values(), silentLogger());
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
});
afterAll(async () => {
  await driver.stop();
  await api.close();
});

const run = (name: string, json?: unknown): Promise<Answer> =>
  api.call('POST', `/api/v1/workflows/${name}/run`, json === undefined ? {} : { json });

/** Submitted so far. */
async function workflowRuns(): Promise<number> {
  const { rows } = await api.engine.pool.query<{ n: number }>({
    text: `SELECT count(*)::int AS n FROM runs WHERE kind = 'workflow'`,
  });
  return rows[0]?.n ?? -1;
}

describe('POST /workflows/{name}/run', () => {
  it('stores a run and says where it is', async () => {
    const answer = await run('test.double', { params: { n: 2 }, tags: ['x'], priority: 'high' });
    expect(answer.status).toBe(202);
    const runId = String(answer.body['data']?.['run_id']);
    expect(answer.headers.get('location')).toBe(`/api/v1/runs/${runId}`);
    expect(answer.body['data']).toMatchObject({
      kind: 'workflow',
      name: 'test.double',
      priority: 'high',
      tags: ['x'],
      metadata: { workflow_version: 1 },
    });
    expect(await runWithStatus(api, runId, 'completed')).toMatchObject({ result: { n: 4 } });
    const view = await api.call('GET', `/api/v1/runs/${runId}/workflow`);
    expect(listIn(view.body['data']?.['steps'])[0]?.['quality']).toEqual({
      record_count: 10,
      valid_count: 9,
      valid_rate: 0.9,
      passed: true,
      custom_metrics: {},
    });
  });

  it('waits for the end when asked to, and skips a partition that is completed unless forced', async () => {
    const asked = { params: { n: 3 }, partition: { week: 1 }, wait_seconds: 20 };
    const first = await run('test.double', asked);
    expect([first.status, first.body['data']]).toMatchObject([
      200,
      { status: 'completed', result: { n: 6 } },
    ]);
    const again = await run('test.double', asked);
    expect(again.body['data']).toMatchObject({
      status: 'completed',
      result: { status: 'skipped', run_id: first.body['data']?.['run_id'] },
    });
    const forced = await run('test.double', { ...asked, force: true });
    expect(forced.body['data']).toMatchObject({ result: { n: 6 } });
  });

  it('answers with the same run to the same key', async () => {
    const asked = { params: { n: 1 }, idempotency_key: 'once' };
    const [first, second] = [await run('test.double', asked), await run('test.double', asked)];
    expect([first.status, second.status]).toEqual([202, 200]);
    expect(second.body['data']?.['run_id']).toEqual(first.body['data']?.['run_id']);
    const other = await run('test.double', { ...asked, params: { n: 2 } });
    expect([other.status, other.body['code']]).toEqual([409, 'CONFLICT']);
  });

  it('needs no body', async () => {
    expect((await run('test.fails')).status).toBe(202);
  });

  it.each([
    ['an unknown workflow', 'test.unknown', {}, 404],
    ['what is no name', 'no%20name', {}, 404],
    ['an unknown version', 'test.double', { version: 7 }, 404],
    ['a list as partition', 'test.double', { partition: [] }, 400],
    ['an empty partition', 'test.double', { partition: {} }, 400],
    ['a nested partition', 'test.double', { partition: { a: { b: 1 } } }, 400],
    ['a long partition', 'test.double', { partition: { a: 'x'.repeat(2_000) } }, 400],
    ['a long wait', 'test.double', { wait_seconds: 31 }, 400],
    ['a status', 'test.double', { status: 'completed' }, 400],
    ['metadata', 'test.double', { metadata: {} }, 400],
  ])('%s is refused, and nothing is stored', async (_, name, json, status) => {
    const before = await workflowRuns();
    expect((await run(name, json)).status).toBe(status);
    expect(await workflowRuns()).toBe(before);
  });

  it('refuses an archived workflow', async () => {
    await archiveWorkflow(api.engine.db, {
      name: 'test.gone',
      by: 'ada',
      source: 'code',
      revision: null,
      isInCode: false,
      reason: null,
    });
    const answer = await run('test.gone', {});
    expect([answer.status, answer.body['code']]).toEqual([409, 'CONFLICT']);
  });
});

describe('a workflow', () => {
  /** The run of a correlation, once it has ended. */
  async function ended(text: string, values: unknown[]): Promise<Json> {
    let runId: string | undefined;
    await waitFor(async () => {
      const { rows } = await api.engine.pool.query<{ run_id: string | null }>({ text, values });
      runId = rows[0]?.run_id ?? undefined;
      return runId !== undefined;
    });
    return runWithStatus(api, runId ?? '', 'completed');
  }

  it('is started by a schedule that fires, with the params and the partition it names', async () => {
    const answer = await api.call('POST', '/api/v1/schedules', {
      json: {
        name: 'nightly double',
        target_type: 'workflow',
        target_name: 'test.double',
        params: { n: 21 },
        metadata: { workflow_partition: { day: 'first' } },
        schedule_type: 'interval',
        interval_seconds: 3_600,
      },
    });
    expect(answer.status, answer.text).toBe(201);
    const id = answer.body['data']?.['schedule_id'];
    await api.engine.pool.query({
      text: `UPDATE schedules SET next_fire_at = date_trunc('milliseconds', now()) WHERE schedule_id = $1`,
      values: [id],
    });
    await tick({ ...api.engine, calendars: new Map(), by: 'test' });
    const run = await ended('SELECT run_id FROM schedule_runs WHERE schedule_id = $1', [id]);
    expect(run).toMatchObject({
      kind: 'workflow',
      result: { n: 42 },
      trigger_source: 'schedule',
      metadata: { workflow_version: 1, workflow_partition: { day: 'first' } },
    });
  });

  it('is started by a trigger, when another one has ended', async () => {
    const answer = await api.call('POST', '/api/v1/triggers', {
      json: {
        name: 'after-double',
        source: { type: 'run_event', types: ['run.completed'], kind: 'workflow', name: 'test.double' },
        filter: 'event.data.correlation_id == "chained"',
        target_type: 'workflow',
        target_name: 'test.double',
        params: { n: 8 },
      },
    });
    expect(answer.status, answer.text).toBe(201);
    const source = createRunEventSource({ db: api.engine.db, logger: silentLogger(), everyMs: 20 });
    const router = createEventRouter({ ...api.engine, everyMs: 20 });
    source.start();
    // It tells of what ends from its first look on.
    await waitFor(
      async () => (await api.engine.pool.query({ text: 'SELECT 1 FROM source_cursors' })).rows.length === 1,
    );
    router.start();
    await run('test.double', { params: { n: 1 }, correlation_id: 'chained' });
    const id = answer.body['data']?.['trigger_id'];
    const started = await ended(
      'SELECT run_id FROM trigger_deliveries WHERE trigger_id = $1 AND run_id IS NOT NULL',
      [id],
    );
    await Promise.all([source.stop(), router.stop()]);
    expect(started).toMatchObject({ kind: 'workflow', result: { n: 16 }, metadata: { workflow_version: 1 } });
  });
});

describe('the runs of a workflow', () => {
  const runs = (query = ''): Promise<Answer> => api.call('GET', `/api/v1/workflows/test.double/runs${query}`);
  const idsIn = (answer: Answer): unknown[] => listIn(answer.body['data']).map((each) => each['run_id']);

  it('come newest first, page by page', async () => {
    const all = await runs();
    const ids = idsIn(all);
    expect(ids.length).toBeGreaterThanOrEqual(5);
    expect(ids).toEqual([...ids].sort().reverse());
    expect(all.body['page']?.['total']).toBe(ids.length);
    const first = await runs('?limit=2');
    const next = await api.call('GET', String(listIn(first.body['links'])[0]?.['href']));
    expect([...idsIn(first), ...idsIn(next)]).toEqual(ids.slice(0, 4));
    expect(idsIn(await runs('?limit=2&offset=2'))).toEqual(ids.slice(2, 4));
  });

  it('are found by partition, version, status and time', async () => {
    const partition = encodeURIComponent('{"week":1}');
    expect(idsIn(await runs(`?partition=${partition}`))).toHaveLength(3);
    // The one that was skipped has not begun with any version.
    expect(idsIn(await runs(`?partition=${partition}&version=1`))).toHaveLength(2);
    expect(idsIn(await runs('?version=2'))).toEqual([]);
    expect(idsIn(await runs('?status=failed,cancelled'))).toEqual([]);
    expect(idsIn(await runs('?since=2100-01-01T00:00:00Z'))).toEqual([]);
  });

  it('are none of an unknown workflow', async () => {
    expect((await api.call('GET', '/api/v1/workflows/test.unknown/runs')).status).toBe(404);
    expect((await runs('?partition=x')).status).toBe(400);
    expect((await runs('?cursor=abc')).status).toBe(400);
  });
});

describe('statistics', () => {
  it('count what has ended, and leave out what was skipped', async () => {
    await run('test.fails', { wait_seconds: 20 });
    const fails = await api.call('GET', '/api/v1/workflows/test.fails/stats?days=7');
    expect(fails.body['data']).toMatchObject({
      name: 'test.fails',
      completed: 0,
      success_rate: 0,
      failures: [{ category: 'DATA_QUALITY' }],
      window: { days: 7, skipped: 0, is_capped: false },
    });
    const { body } = await api.call('GET', '/api/v1/workflows/test.double/stats');
    expect(body['data']).toMatchObject({ failed: 0, success_rate: 1, failures: [], window: { skipped: 1 } });
    const trend = listIn(body['data']?.['trend']);
    const done = Number(body['data']?.['completed']);
    expect(body['data']?.['quality']).toEqual([
      {
        step: 'double',
        runs: done,
        passed: done,
        record_count: String(done * 10),
        valid_count: String(done * 9),
      },
    ]);
    expect(trend.length).toBeGreaterThanOrEqual(30);
    expect(trend.at(-1)).toMatchObject({ success_rate: 1 });
    expect(body['data']?.['duration_ms']?.['count']).toEqual(body['data']?.['completed']);
  });

  it('are listed by name', async () => {
    const first = await api.call('GET', '/api/v1/stats/workflows?limit=1');
    expect(listIn(first.body['data']).map((each) => each['name'])).toEqual(['test.double']);
    expect(first.body['page']).toMatchObject({ total: 2, has_more: true });
    const next = await api.call('GET', String(listIn(first.body['links'])[0]?.['href']));
    expect(listIn(next.body['data'])).toMatchObject([{ name: 'test.fails', success_rate: 0 }]);
  });

  it.each([
    '/workflows/test.unknown/stats',
    '/workflows/test.double/stats?days=0',
    '/stats/workflows?limit=101',
  ])('%s is refused', async (path) => {
    expect([400, 404]).toContain((await api.call('GET', `/api/v1${path}`)).status);
  });
});

describe('TrackedWorkflowRunner', () => {
  it('does a partition once, and knows who did and who failed', async () => {
    const runner = new TrackedWorkflowRunner(api.engine);
    const partition = { week: 2 };
    const first = await runner.execute('test.double', { params: { n: 5 }, partition });
    expect(first).toMatchObject({ status: 'completed', outputs: { n: 10 } });
    const again = await runner.execute('test.double', { params: { n: 5 }, partition });
    expect(again).toMatchObject({ status: 'skipped', because: first.run.runId });
    expect(await runner.completed('test.double', partition)).toMatchObject({ runId: first.run.runId });
    expect(await runner.execute('test.fails', { partition })).toMatchObject({ status: 'not_completed' });
    expect((await runner.failures('test.fails', { partition })).items).toMatchObject([
      { message: 'workflow test.fails (version 1) failed: no data' },
    ]);
    await expect(runner.execute('test.unknown', { partition })).rejects.toThrow('no workflow test.unknown');
  });
});
