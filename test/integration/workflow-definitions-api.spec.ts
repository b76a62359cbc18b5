/** Workflow definitions over HTTP: posted, changed, looked at, tried, and run by a worker that never saw them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DefinitionVersions, WorkflowDriver, WorkflowRegistry } from '@spine/orchestration';
import { listIn, runWithStatus, startApi } from './api-support.ts';
import type { Answer, Api, Json } from './api-support.ts';

const BASE = '/api/v1/workflows';

let api: Api;
let driver: WorkflowDriver;
beforeAll(async () => {
  const workflows = new WorkflowRegistry()
    .registerFunction('say', ({ word }) => ({ word: word ?? null }))
    .registerWorkflow({ name: 'test.coded', steps: [{ kind: 'lambda', name: 'one', handler: 'say' }] });
  api = await startApi({ register: (registry) => void workflows.registerHandlers(registry) });
  await api.startWorker();
  driver = new WorkflowDriver({ ...api.engine, definitions: new DefinitionVersions(), pollMs: 25 });
  driver.start();
});
afterAll(async () => {
  await driver.stop();
  await api.close();
});

const yamlOf = (name: string, word: string, more = ''): string => `apiVersion: spine.io/v1
kind: Workflow
metadata: { name: ${name}, domain: demo, tags: [greeting] }
spec:
  steps:
    - { name: one, kind: lambda, handler: say, params: { word: ${word} } }
${more}  outputs: { word: '{{ steps.one.output.word }}' }
`;

const post = (json: unknown): Promise<Answer> => api.call('POST', BASE, { json });
const posted = async (name: string, word: string, more?: string): Promise<Answer> => {
  const answer = await post({ yaml_content: yamlOf(name, word, more), changelog: `says ${word}` });
  expect(answer.status, answer.text).toBeLessThan(300);
  return answer;
};
const get = (path: string): Promise<Answer> => api.call('GET', `${BASE}/${path}`);
const namesIn = (answer: Answer): string[] => listIn(answer.body['data']).map((item) => String(item['name']));

describe('publishing', () => {
  it('is a version for what has changed and none for the same, and the worker runs it', async () => {
    const first = await posted('api.hello', 'hello');
    expect(first.status).toBe(201);
    expect(first.headers.get('etag')).toBe('"1"');
    expect(first.headers.get('location')).toBe(`${BASE}/api.hello`);
    expect(first.body['data']).toMatchObject({
      name: 'api.hello',
      version: 1,
      source: 'api',
      domain: 'demo',
      tags: ['greeting'],
      steps: 1,
      kinds: { lambda: 1 },
      handlers: ['say'],
      created_by: 'api',
      archived_at: null,
    });
    const same = await post({ definition: first.body['data']?.['definition'] });
    expect([same.status, same.body['data']?.['version']]).toEqual([200, 1]);
    const submitted = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'workflow', name: 'api.hello', params: {} },
    });
    expect(submitted.status).toBe(202);
    const second = await posted('api.hello', 'goodbye');
    expect([second.status, second.body['data']?.['version']]).toEqual([201, 2]);
    const run = await runWithStatus(api, String(submitted.body['data']?.['run_id']), 'completed');
    expect([run['result'], run['metadata']]).toEqual([{ word: 'hello' }, { workflow_version: 1 }]);
  });

  it('tells each problem of a YAML file with its line and column, and writes nothing', async () => {
    const bad = yamlOf(
      'api.bad',
      'x',
      "    - { name: two, kind: lambda, handler: nowhere }\n    - { name: three, kind: operation, handler: 'not.there' }\n",
    );
    const refused = await post({ yaml_content: bad });
    expect(refused.status).toBe(400);
    expect(refused.body['errors']).toEqual([
      {
        field: 'spec.steps[1].handler',
        code: 'missing_handler',
        message: 'no lambda is registered as nowhere',
        line: 7,
        column: 34,
      },
      {
        field: 'spec.steps[2].handler',
        code: 'missing_handler',
        message: 'no operation is registered as not.there',
        line: 8,
        column: 39,
      },
    ]);
    const broken = await post({ yaml_content: 'apiVersion: spine.io/v1\nkind: [Workflow' });
    expect(broken.status).toBe(400);
    expect(broken.body['errors']).toMatchObject([{ field: 'yaml_content', line: 2 }]);
    const json = await post({
      definition: { name: 'api.bad', steps: [{ name: 'a', kind: 'lambda', handler: 'no' }] },
    });
    expect(json.body['errors']).toMatchObject([
      { field: 'definition.steps[0].handler', code: 'missing_handler' },
    ]);
    expect((await get('api.bad')).status).toBe(404);
  });

  it('refuses what would start itself by way of a published workflow', async () => {
    const starts = (name: string, child: string): unknown => ({
      definition: { name, steps: [{ name: 'go', kind: 'workflow', workflow: child }] },
    });
    expect((await post(starts('api.loop_a', 'api.loop_b'))).body['errors']).toMatchObject([
      { field: 'definition.steps[0].workflow', code: 'unknown_workflow' },
    ]);
    await posted('api.loop_b', 'x');
    expect((await post(starts('api.loop_a', 'api.loop_b'))).status).toBe(201);
    const cycle = await post(starts('api.loop_b', 'api.loop_a'));
    expect(cycle.body['errors']).toMatchObject([{ code: 'workflow_cycle' }]);
  });

  it.each([
    ['neither text', {}],
    ['both', { yaml_content: 'a: 1', definition: { name: 'a', steps: [] } }],
    ['no steps', { definition: { name: 'api.none', steps: [] } }],
    ['a field nobody knows', { definition: { name: 'api.none', steps: [], owner: 'eve' } }],
    ['a version of its own', { definition: { name: 'api.none', steps: [] }, version: 9 }],
    ['a name that is a path', { definition: { name: '../x', steps: [] } }],
    [
      'an alias bomb',
      {
        yaml_content: `a: &a [x,x,x,x,x,x,x,x]\n${'bcdefghij'
          .split('')
          .map((key, at) => {
            const before = 'abcdefghij'.charAt(at);
            return `${key}: &${key} [${Array.from({ length: 8 }, () => `*${before}`).join(',')}]`;
          })
          .join('\n')}\n`,
      },
    ],
    [
      'keys of a prototype',
      { yaml_content: yamlOf('api.proto', 'x', '    - { __proto__: { a: 1 }, name: two }\n') },
    ],
    ['deep nesting', { yaml_content: '['.repeat(100_000) }],
  ])('refuses %s', async (_what, json) => {
    const answer = await post(json);
    expect([answer.status, answer.body['code']]).toEqual([400, 'VALIDATION_FAILED']);
    expect(listIn(answer.body['errors']).length).toBeGreaterThan(0);
  });

  it('refuses keys of a prototype in JSON, at any depth', async () => {
    const body =
      '{"definition":{"name":"api.p","steps":[{"name":"a","kind":"lambda","handler":"say","params":{"__proto__":{}}}]}}';
    const answer = await api.call('POST', BASE, { body, headers: { 'content-type': 'application/json' } });
    expect(answer.status).toBe(400);
    expect(answer.text).toContain('__proto__');
  });

  it('leaves names alone that the code defines', async () => {
    const answer = await post({ yaml_content: yamlOf('test.coded', 'x') });
    expect([answer.status, answer.body['code']]).toEqual([409, 'CONFLICT']);
    expect((await get('test.coded')).status).toBe(404);
  });
});

describe('changing', () => {
  it('over a revision that was read changes that one or nothing', async () => {
    await posted('api.etag', 'a');
    const put = (word: string, etag?: string): Promise<Answer> =>
      api.call('PUT', `${BASE}/api.etag`, {
        json: { yaml_content: yamlOf('api.etag', word) },
        ...(etag === undefined ? {} : { headers: { 'if-match': etag } }),
      });
    const changed = await put('b', '"1"');
    expect([changed.status, changed.headers.get('etag')]).toEqual([201, '"2"']);
    const stale = await put('c', '"1"');
    expect([stale.status, stale.body['code']]).toEqual([409, 'CONFLICT']);
    expect((await put('c', 'two')).status).toBe(400);
    expect((await put('b')).status).toBe(200);
    expect((await get('api.etag')).body['data']).toMatchObject({ version: 2, revision: 2 });
    const other = await api.call('PUT', `${BASE}/api.etag`, {
      json: { yaml_content: yamlOf('api.other', 'a') },
    });
    expect(other.body['errors']).toMatchObject([{ field: 'metadata.name', code: 'other_name' }]);
    const none = await api.call('PUT', `${BASE}/api.nobody`, {
      json: { yaml_content: yamlOf('api.nobody', 'a') },
    });
    expect(none.status).toBe(404);
  });

  it('back to an older version says who and why, and new runs begin with it', async () => {
    await posted('api.back', 'a');
    await posted('api.back', 'b');
    const back = (json: unknown): Promise<Answer> => api.call('POST', `${BASE}/api.back/rollback`, { json });
    const done = await back({ version: 1, reason: 'b greets nobody' });
    expect([done.status, done.body['data']?.['version'], done.headers.get('etag')]).toEqual([200, 1, '"3"']);
    expect((await back({ version: 7, reason: 'x' })).status).toBe(404);
    expect((await back({ version: 1 })).status).toBe(400);
    const log = await get('api.back/publications?limit=2');
    expect(listIn(log.body['data'])).toMatchObject([
      {
        action: 'rolled_back',
        version: 1,
        previous_version: 2,
        published_by: 'api',
        reason: 'b greets nobody',
      },
      { action: 'published', version: 2, previous_version: 1, reason: 'says b' },
    ]);
    const next = await get(
      `api.back/publications?limit=2&cursor=${String(log.body['page']?.['next_cursor'])}`,
    );
    expect(listIn(next.body['data'])).toMatchObject([
      { action: 'published', version: 1, previous_version: null },
    ]);
  });

  it('to archived takes no new runs, keeps the versions, and can be undone', async () => {
    await posted('api.old', 'a');
    const archived = await api.call('DELETE', `${BASE}/api.old?reason=unused`, {
      headers: { 'if-match': '"1"' },
    });
    expect([archived.status, typeof archived.body['data']?.['archived_at']]).toEqual([200, 'string']);
    expect((await api.call('DELETE', `${BASE}/api.old`)).status).toBe(200);
    const run = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'workflow', name: 'api.old', params: {} },
    });
    expect([run.status, listIn(run.body['errors'])[0]?.['code']]).toEqual([400, 'unknown_handler']);
    expect(namesIn(await api.call('GET', `${BASE}?q=api.old`))).toEqual([]);
    expect(namesIn(await api.call('GET', `${BASE}?archived=true`))).toEqual(['api.old']);
    expect((await get('api.old/versions')).body['page']).toMatchObject({ total: 1 });
    const put = await api.call('PUT', `${BASE}/api.old`, { json: { yaml_content: yamlOf('api.old', 'b') } });
    expect(put.status).toBe(409);
    const again = await posted('api.old', 'a');
    expect([again.status, again.body['data']?.['archived_at']]).toEqual([200, null]);
  });
});

describe('looking', () => {
  beforeAll(async () => {
    await posted('look.first', 'a');
    await posted('look.first', 'b', '    - { name: two, kind: wait, wait: { duration_seconds: 60 } }\n');
    await posted('look.second', 'a');
  });

  it('finds workflows by words, tags, domain, handler and kind of step, in pages', async () => {
    const found = async (query: string): Promise<string[]> =>
      namesIn(await api.call('GET', `${BASE}?${query}`));
    expect(await found('q=look')).toEqual(['look.first', 'look.second']);
    expect(await found('q=look&step_kind=wait')).toEqual(['look.first']);
    expect(await found('q=look&tags=greeting,other')).toEqual([]);
    expect(await found('q=look&tags=greeting&domain=demo&handler=say&source=api')).toHaveLength(2);
    expect(await found('q=look&handler=nobody')).toEqual([]);
    expect(await found('q=look&sort=steps')).toEqual(['look.second', 'look.first']);
    const run = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'workflow', name: 'look.second', params: {} },
    });
    await runWithStatus(api, String(run.body['data']?.['run_id']), 'completed');
    const best = await api.call('GET', `${BASE}?q=look&sort=success_rate`);
    expect(listIn(best.body['data'])).toMatchObject([
      { name: 'look.second', stats: { completed: 1, failed: 0, success_rate: 1 } },
      { name: 'look.first', stats: { completed: 0, success_rate: null } },
    ]);
    expect(await found('q=look&sort=duration')).toEqual(['look.second', 'look.first']);
    const page = await api.call('GET', `${BASE}?q=look&limit=1&offset=1`);
    expect([namesIn(page), page.body['page']]).toMatchObject([
      ['look.second'],
      { total: 2, has_more: false },
    ]);
    for (const query of ['sort=rate', 'step_kind=x', 'limit=0', 'nobody=1', `q=${'x'.repeat(201)}`]) {
      expect((await api.call('GET', `${BASE}?${query}`)).status, query).toBe(400);
    }
  });

  it('shows the file, pictures, versions and what is different between two', async () => {
    const yaml = await get('look.first/yaml');
    expect(yaml.headers.get('content-type')).toMatch(/^text\/yaml/);
    expect(yaml.text).toContain('version: 2');
    expect((await post({ yaml_content: yaml.text })).status).toBe(200);
    expect((await get('look.first/yaml?version=1')).text).not.toContain('duration_seconds');
    expect((await get('look.first/mermaid')).text).toMatch(/^(flowchart|graph)/);
    expect((await get('look.first/mermaid?format=dot')).text).toMatch(/^digraph/);
    expect((await get('look.first/mermaid?format=ascii')).text).toContain('two');
    const summary = await get('look.first/mermaid?format=summary');
    expect(summary.body['data']).toMatchObject({ name: 'look.first', steps: 2 });
    const image = await get('look.first/mermaid?format=svg');
    expect(image.headers.get('content-type')).toBe('image/svg+xml');
    expect(image.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(image.text).toContain('>two</text>');
    expect((await get('look.first/mermaid?format=png')).status).toBe(400);
    const versions = await get('look.first/versions?limit=1');
    expect(listIn(versions.body['data'])).toMatchObject([
      { version: 2, changelog: 'says b', created_by: 'api' },
    ]);
    const older = await get(`look.first/versions?cursor=${String(versions.body['page']?.['next_cursor'])}`);
    expect(listIn(older.body['data'])).toMatchObject([{ version: 1, changelog: 'says a' }]);
    expect((await get('look.first/versions/1')).body['data']).toMatchObject({
      definition: { name: 'look.first' },
    });
    const diff = await get('look.first/versions/1/diff/2');
    expect(diff.body['data']).toMatchObject({
      steps_added: ['two'],
      steps_removed: [],
      steps_changed: [
        { step: 'one', fields: [{ field: 'params', before: { word: 'a' }, after: { word: 'b' } }] },
      ],
      is_equal: false,
    });
    for (const path of [
      'look.first/versions/9',
      'look.first/versions/x',
      'look.first/versions/1/diff/9',
      'nobody',
      '%2e%2e',
    ]) {
      expect((await get(path)).status, path).toBe(404);
    }
  });
});

describe('trying', () => {
  it('lints what is stored and what is not', async () => {
    await posted('try.lint', 'a', '    - { name: two, kind: lambda, handler: say }\n');
    const codes = (answer: Answer): string[] =>
      listIn(answer.body['data']?.['diagnostics'] as Json).map((each) => String(each['code']));
    const stored = await api.call('POST', `${BASE}/try.lint/lint`);
    expect([stored.status, stored.body['data']?.['passed']]).toEqual([200, true]);
    expect(codes(stored)).toContain('W002');
    const less = await api.call('POST', `${BASE}/try.lint/lint`, { json: { ignore: ['W002'] } });
    expect(codes(less)).not.toContain('W002');
    const lint = (json: unknown): Promise<Answer> => api.call('POST', `${BASE}/lint`, { json });
    const missing = await lint({
      yaml_content: yamlOf('try.x', 'a', '    - { name: two, kind: lambda, handler: gone }\n'),
    });
    expect(missing.body['data']).toMatchObject({
      passed: false,
      diagnostics: [
        { code: 'E001', field: 'spec.steps[1].handler', line: 7 },
        ...Array.from({ length: codes(missing).length - 1 }, () => ({})),
      ],
    });
    const broken = await lint({ yaml_content: 'kind: [' });
    expect(broken.body['data']).toMatchObject({ passed: false, diagnostics: [{ code: 'E001', line: 1 }] });
    expect((await lint({})).status).toBe(400);
    expect((await get('try.x')).status).toBe(404);
  });

  it('tells what a run would do, with the times that steps took', async () => {
    await posted(
      'try.dry',
      'a',
      "    - { name: two, kind: lambda, handler: say, params: { word: '{{ params.word }}' } }\n",
    );
    const submitted = await api.call('POST', '/api/v1/runs', {
      json: { kind: 'workflow', name: 'try.dry', params: { word: 'x' } },
    });
    await runWithStatus(api, String(submitted.body['data']?.['run_id']), 'completed');
    const dry = await api.call('POST', `${BASE}/try.dry/dry-run`, { json: { params: { word: 'x' } } });
    expect(dry.body['data']).toMatchObject({
      is_valid: true,
      version: 1,
      waves: [['one'], ['two']],
      unestimated: [],
      steps: [
        { name: 'one', forecast: 'runs' },
        { name: 'two', forecast: 'runs' },
      ],
    });
    const without = await api.call('POST', `${BASE}/try.dry/dry-run`);
    expect(without.body['data']).toMatchObject({ is_valid: false, issues: [{ code: 'missing_param' }] });
    expect((await api.call('POST', `${BASE}/try.dry/dry-run`, { json: { version: 4 } })).status).toBe(404);
  });
});
