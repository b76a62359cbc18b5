/** The MCP server's tools against a real API and a worker, spoken to with the protocol's own client. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { CallSlots, shareMcp, TOOLS } from '@spine/mcp';
import type { Caller, McpOptions } from '@spine/mcp';
import { silentLogger } from '@spine/observability';
import type { SpineClient } from '@spine/sdk';
import { waitFor } from '@spine/testing';
import { listIn, randomKey, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';
import { deferred } from './engine-run-support.ts';
import { assistantOf } from './mcp-support.ts';
import type { Assistant, Told } from './mcp-support.ts';
import { quickClient } from './sdk-support.ts';

const KEY = randomKey();
const OPTIONS: McpOptions = { version: '1.2.3', logger: silentLogger() };
const NO_RUN = '01912345-6789-7abc-8def-0123456789ab';
const ROWS = Array.from({ length: 1_500 }, (_, n) => ({ n, name: `row ${n} of a file with many of them` }));
const YAML = `apiVersion: spine.io/v1
kind: Workflow
metadata: { name: mcp.hello }
spec:
  steps:
    - { name: one, kind: lambda, handler: say, params: { word: hello } }
`;

const seen = deferred();

let api: Api;
let spine: SpineClient;
let driver: WorkflowDriver;
let reader: Assistant;
let writer: Assistant;

function callerWith(apiKey: string): Caller {
  return { client: quickClient(api.url, { apiKey }), secrets: [apiKey] };
}

beforeAll(async () => {
  const workflows = new WorkflowRegistry().registerFunction('say', ({ word }) => ({ word: word ?? null }));
  api = await startApi({
    keys: [KEY],
    register: (registry) => {
      workflows.registerHandlers(registry);
      registry.registerTask(
        'rows',
        { description: 'Answers with many rows.', params: z.strictObject({}) },
        () => Promise.resolve({ rows: ROWS }),
      );
      registry.registerTask(
        'halfway',
        { description: 'Ends when its progress has been seen.', params: z.strictObject({}) },
        async (_params, ctx) => {
          ctx.progress(0.5, 'half');
          await seen.promise;
          return {};
        },
      );
    },
  });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
  spine = quickClient(api.url, { apiKey: KEY });
  reader = await assistantOf(shareMcp(OPTIONS), callerWith(KEY));
  writer = await assistantOf(shareMcp({ ...OPTIONS, allowWrites: true }), callerWith(KEY));
});
afterAll(async () => {
  await Promise.all([reader.close(), writer.close()]);
  await driver.stop();
  await api.close();
});

function errorOf({ isError, body }: Told): Json {
  expect(isError).toBe(true);
  return body['error'] ?? {};
}

describe('a server that only reads', () => {
  it('lists nothing that changes anything, and says so', async () => {
    const { tools } = await reader.client.listTools();
    expect(tools.length).toBeGreaterThan(30);
    expect(tools.filter(({ annotations }) => annotations?.readOnlyHint !== true)).toEqual([]);
    expect(reader.client.getInstructions()).toContain('only reads');
    expect(reader.client.getServerVersion()).toMatchObject({ name: 'spine', version: '1.2.3' });
  });

  it('refuses what it does not list, and nothing is written', async () => {
    const before = await api.rowCounts();
    for (const { name, effect } of TOOLS) {
      if (effect === 'reads') continue;
      const args = { kind: 'task', name: 'echo', run_id: NO_RUN };
      expect(errorOf(await reader.call(name, args))).toMatchObject({ code: 'READ_ONLY' });
    }
    expect(await api.rowCounts()).toEqual(before);
    await expect(reader.call('run_delete')).rejects.toThrow('there is no tool "run_delete"');
  });

  it('has every list and figure of the API', async () => {
    const { run_id } = await spine.runs.submitAndWait({ kind: 'task', name: 'echo', params: { a: 1 } });
    await spine.workflows.publish({ yaml_content: YAML });
    const started = await spine.workflows.run('mcp.hello', { wait_seconds: 10 });
    const failed = await spine.runs.submitAndWait({ kind: 'task', name: 'fail', params: { message: 'no' } });
    const [letter] = await spine.dlq.list().toArray();
    const schedule = await spine.schedules.create({
      name: 'nightly',
      target_type: 'task',
      target_name: 'echo',
      schedule_type: 'cron',
      cron_expression: '0 2 * * *',
    });
    const domain = 'finra.otc_transparency';
    const days = { from: '2026-01-01', to: '2026-01-31' };
    const args: Readonly<Record<string, object>> = {
      function_get: { kind: 'task', name: 'echo' },
      run_get: { run_id },
      run_explain: { run_id },
      run_events: { run_id },
      run_logs: { run_id },
      run_wait: { run_id },
      run_list: { status: ['dead_lettered'], name: 'fail' },
      workflow_get: { name: 'mcp.hello' },
      workflow_lint: { name: 'mcp.hello' },
      workflow_dry_run: { name: 'mcp.hello', params: { a: [1] } },
      workflow_runs: { name: 'mcp.hello' },
      workflow_stats: { name: 'mcp.hello' },
      workflow_state: { run_id: started.run_id, format: 'ascii' },
      workflow_history: { run_id: started.run_id },
      schedule_get: { schedule_id: schedule.schedule_id },
      schedule_runs: { schedule_id: schedule.schedule_id },
      schedule_preview: { schedule_type: 'cron', cron_expression: '0 2 * * *', count: 3 },
      dlq_list: { resolved: false },
      dlq_get: { dead_letter_id: letter?.dead_letter_id },
      manifest_list: { domain, partition_key: { week_ending: '2026-01-02' } },
      reject_summary: { domain },
      watermark_gaps: {
        domain,
        ...days,
        cadence: 'weekly',
        stage: 'RAW',
        template: { week_ending: '{week_ending}' },
      },
    };
    const told = new Map<string, Json>();
    for (const { name, effect } of TOOLS) {
      if (effect !== 'reads') continue;
      const answer = await reader.call(name, args[name] ?? {});
      expect(answer.isError ? answer.text : '', name).toBe('');
      expect(answer.body, name).toHaveProperty('data');
      expect(JSON.parse(answer.text), name).toEqual(answer.body);
      told.set(name, answer.body);
    }
    expect(told.get('run_get')?.['data']).toMatchObject({ run_id, status: 'completed' });
    expect(listIn(told.get('run_list')?.['data']).map((run) => run['run_id'])).toEqual([failed.run_id]);
    expect(told.get('run_list')?.['page']).toEqual({ total: 1, total_is_capped: false, next: null });
    expect(told.get('workflow_state')?.['data']).toMatchObject({ run_id: started.run_id });
    expect(told.get('dlq_get')?.['data']).toMatchObject({ run_id: failed.run_id });
    expect(told.get('function_get')?.['data']).toMatchObject({ name: 'echo' });
  });

  it('lints a file that is not stored', async () => {
    const wrong = await reader.call('workflow_lint', {
      yaml_content: YAML.replace('handler: say', 'handler: nobody'),
    });
    expect(wrong.text).toContain('nobody');
    expect(errorOf(await reader.call('workflow_lint'))['code']).toBe('VALIDATION_FAILED');
  });
});

describe('arguments', () => {
  it('that are wrong are told by field, by the tool or by the API', async () => {
    const here = errorOf(await reader.call('run_list', { limit: 'many', statuz: [], kind: 'job' }));
    expect(here['code']).toBe('VALIDATION_FAILED');
    expect(listIn(here['errors']).map((each) => each['field'])).toEqual(['kind', 'limit', 'statuz']);
    const there = errorOf(await reader.call('run_list', { since: 'Tuesday' }));
    expect(there).toMatchObject({ code: 'VALIDATION_FAILED', request_id: expect.any(String) as string });
    expect(listIn(there['errors']).map((each) => each['field'])).toEqual(['since']);
    expect(errorOf(await reader.call('run_get', { run_id: NO_RUN }))).toMatchObject({
      code: 'NOT_FOUND',
      fix: expect.stringContaining('lists them') as string,
    });
  });
});

describe('answers', () => {
  it('are bounded, and the rest can be read on', async () => {
    const { run_id } = await spine.runs.submitAndWait({ kind: 'task', name: 'rows' });
    const part = '$.result.rows';
    const whole = await reader.call('run_get', { run_id });
    expect(whole.text.length).toBeLessThan(45_000);
    expect(listIn(whole.body['omitted']?.['parts'])[0]).toMatchObject({ path: part, of: ROWS.length });
    const read: Json[] = [];
    while (read.length < ROWS.length) {
      const { body, text } = await reader.call('run_get', { run_id, part, from: read.length });
      expect(text.length).toBeLessThan(45_000);
      expect(body).toMatchObject({ from: read.length, length: ROWS.length });
      read.push(...listIn(body['data']));
    }
    expect(read).toEqual(ROWS);
    const beyond = errorOf(await reader.call('run_get', { run_id, part, from: ROWS.length }));
    expect(listIn(beyond['errors'])[0]).toMatchObject({ field: 'from' });
  });

  it('of lists are read to the end, also where a page finds no room', async () => {
    const spec = { kind: 'task', name: 'echo', correlation_id: 'paged' } as const;
    const batch = await spine.runs.submitBatch(Array.from({ length: 12 }, () => spec));
    const ids = batch.items.map((item) => (item.outcome === 'refused' ? '' : item.run_id)).toReversed();
    const cramped = await assistantOf(shareMcp({ ...OPTIONS, answerCharacters: 2_000 }), callerWith(KEY));
    const read: unknown[] = [];
    let next: object | null = { limit: 10 };
    let cramps = 0;
    while (next !== null) {
      const asked: object = next;
      const { body } = await cramped.call('run_list', { correlation_id: 'paged', ...asked });
      const left = body['omitted']?.['items'];
      if (left === undefined) {
        read.push(...listIn(body['data']).map((run) => run['run_id']));
        const following = body['page']?.['next'] ?? null;
        next = following === null ? null : { ...asked, ...following };
      } else {
        cramps += 1;
        expect(body['page']?.['next']).toBeNull();
        next = { ...asked, limit: listIn(body['data']).length };
      }
    }
    expect(cramps).toBeGreaterThan(0);
    expect(read).toEqual(ids);
    await cramped.close();
  });

  it('hold no key, no secret, and nothing a person would not see', async () => {
    const params = {
      api_key: 'canary-1',
      note: `it is ${KEY}`,
      hidden: `a${String.fromCodePoint(0xe0041)}b`,
    };
    const { run_id } = await spine.runs.submitAndWait({ kind: 'task', name: 'echo', params });
    const { body, text } = await reader.call('run_get', { run_id });
    expect(text).not.toContain('canary-1');
    expect(text).not.toContain(KEY);
    expect(body['data']?.['params']).toEqual({
      api_key: '[REDACTED]',
      note: 'it is [REDACTED]',
      hidden: 'a\\u{e0041}b',
    });
    const { contents } = await reader.client.readResource({ uri: `spine://runs/${run_id}` });
    expect(JSON.stringify(contents)).toContain(run_id);
    expect(JSON.stringify(contents)).not.toContain('canary-1');
  });
});

describe('writing, where it is allowed', () => {
  it('submits, waits with progress, cancels, retries', async () => {
    const key = { idempotency_key: 'mcp-once' };
    const spec = { kind: 'task', name: 'echo', params: { hello: 'world' }, ...key };
    const [first, second] = [await writer.call('run_submit', spec), await writer.call('run_submit', spec)];
    const run_id = String(first.body['data']?.['run_id']);
    expect(second.body['data']).toMatchObject({ run_id, existing: true });
    const done = await writer.call('run_wait', { run_id });
    expect(done.body['data']).toMatchObject({ ended: true, status: 'completed', trigger_source: 'mcp' });

    const halfway = await writer.call('run_submit', { kind: 'task', name: 'halfway' });
    const told: object[] = [];
    const onprogress = (each: object): void => {
      told.push(each);
      seen.resolve();
    };
    await writer.call('run_wait', { run_id: halfway.body['data']?.['run_id'] }, { onprogress });
    expect(told).toEqual([{ progress: 0.5, total: 1, message: 'half' }]);

    const long = await writer.call('run_submit', { kind: 'task', name: 'sleep', params: { seconds: 60 } });
    const longId = String(long.body['data']?.['run_id']);
    const early = await writer.call('run_wait', { run_id: longId, wait_seconds: 0 });
    expect(early.body['data']).toMatchObject({ ended: false, run_id: longId });
    expect((await writer.call('run_cancel', { run_id: longId, reason: 'enough' })).isError).toBe(false);
    const again = errorOf(await writer.call('run_cancel', { run_id: longId }));
    expect(again['code']).toBe('NOT_CANCELLABLE');
    const retried = await writer.call('run_retry', { run_id });
    expect(retried.body['data']).not.toMatchObject({ run_id });
  });

  it('runs workflows, steers schedules, decides dead letters', async () => {
    await spine.workflows.publish({ yaml_content: YAML });
    const { body } = await writer.call('workflow_run', { name: 'mcp.hello' });
    expect((await spine.runs.wait(String(body['data']?.['run_id']))).status).toBe('completed');
    const { schedule_id } = await spine.schedules.create({
      name: 'hourly',
      target_type: 'task',
      target_name: 'echo',
      schedule_type: 'cron',
      cron_expression: '0 * * * *',
    });
    for (const name of ['schedule_pause', 'schedule_resume', 'schedule_trigger']) {
      expect((await writer.call(name, { schedule_id })).isError, name).toBe(false);
    }
    for (const name of ['dlq_replay', 'dlq_resolve']) {
      const run = await spine.runs.submitAndWait({ kind: 'task', name: 'fail', params: { message: name } });
      const letters = await spine.dlq.list({ resolved: false }).toArray();
      const letter = letters.find(({ run_id }) => run_id === run.run_id);
      const told = await writer.call(name, { dead_letter_id: letter?.dead_letter_id, note: 'seen' });
      expect(told.isError ? told.text : '', name).toBe('');
    }
  });

  it('is still decided by the scopes of the key', async () => {
    const made = await spine.keys.create({ name: 'reader', scopes: ['read'] });
    const shared = shareMcp({ ...OPTIONS, allowWrites: true });
    const eager = await assistantOf(shared, callerWith(made.key));
    expect((await eager.call('run_list')).isError).toBe(false);
    expect(errorOf(await eager.call('run_submit', { kind: 'task', name: 'echo' }))).toMatchObject({
      code: 'FORBIDDEN',
      fix: expect.stringContaining('submit') as string,
    });
    await eager.close();
  });
});

describe('faults', () => {
  it('are told without what only the operator may see', async () => {
    const nobody = quickClient('http://127.0.0.1:9', { retries: 0 });
    const away = await assistantOf(shareMcp(OPTIONS), { client: nobody, secrets: [] });
    expect(errorOf(await away.call('health'))['code']).toBe('NO_CONNECTION');
    const stranger = await assistantOf(shareMcp(OPTIONS), callerWith(randomKey()));
    expect(errorOf(await stranger.call('run_list'))['code']).toBe('UNAUTHENTICATED');
    await expect(stranger.client.readResource({ uri: `spine://runs/${NO_RUN}` })).rejects.toThrow(
      'UNAUTHENTICATED',
    );
    await expect(stranger.client.readResource({ uri: 'file:///etc/passwd' })).rejects.toThrow(
      'is no resource',
    );
    await Promise.all([away.close(), stranger.close()]);
  });

  it('no more calls at once than there are slots, and none for a client that has gone', async () => {
    const shared = { ...shareMcp(OPTIONS), slots: new CallSlots(1) };
    const leaving = await assistantOf(shared, callerWith(KEY));
    const staying = await assistantOf(shared, callerWith(KEY));
    const { run_id } = await spine.runs.submit({ kind: 'task', name: 'sleep', params: { seconds: 60 } });
    const waiting = leaving.call('run_wait', { run_id }).catch(() => 'gone');
    await waitFor(() => shared.slots.taken === 1);
    expect(errorOf(await staying.call('health'))['code']).toBe('BUSY');
    await leaving.close();
    expect(await waiting).toBe('gone');
    await waitFor(() => shared.slots.taken === 0);
    expect((await staying.call('health')).isError).toBe(false);
    await staying.close();
    await spine.runs.cancel(run_id);
  });
});

describe('prompts and resources', () => {
  it('say which tools answer a question', async () => {
    const { prompts } = await reader.client.listPrompts();
    expect(prompts.map(({ name }) => name)).toContain('what_happened');
    const asked = { name: 'what_happened', arguments: { subject: 'Tuesday’s file' } };
    expect(JSON.stringify(await reader.client.getPrompt(asked))).toContain('run_list');
  });

  it('give a workflow by its address', async () => {
    const { resourceTemplates } = await reader.client.listResourceTemplates();
    expect(resourceTemplates).toHaveLength(2);
    const { contents } = await reader.client.readResource({ uri: 'spine://workflows/mcp.hello' });
    expect(JSON.stringify(contents)).toContain('kind: Workflow');
  });
});
