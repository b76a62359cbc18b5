/** The examples over HTTP. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '@spine/api';
import type { ApiApp } from '@spine/api';
import { createCatalog, EXAMPLE_LEVELS, EXAMPLES } from '@spine/catalog';
import { loadSettings } from '@spine/config';
import { readExampleSource } from '@spine/examples';
import { listIn, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

const PATH = '/api/v1/examples';

let api: Api;
let app: ApiApp;
beforeAll(async () => {
  const { handlers, workflows } = createCatalog({ dataRoots: [] });
  workflows.registerHandlers(handlers);
  api = await startApi({
    register: (registry) => {
      for (const handler of handlers.handlers())
        if (registry.get(handler.kind, handler.name) === undefined)
          registry.registerAs(handler.kind, handler.name, handler);
    },
  });
  const settings = loadSettings(
    { SPINE_DATABASE_URL: api.database.connectionString, SPINE_PORT: '0' },
    { role: 'api' },
  );
  app = await createApp({ settings, engine: api.engine, examples: EXAMPLES });
});
afterAll(async () => {
  await app.close();
  await api.close();
});

async function ask(method: 'GET' | 'POST', path: string, json?: unknown) {
  const headers = {
    host: 'localhost',
    ...(json === undefined ? {} : { 'content-type': 'application/json' }),
  };
  const { statusCode, payload } = await app.fastify.inject({
    method,
    url: `${PATH}${path}`,
    headers,
    ...(json === undefined ? {} : { payload: JSON.stringify(json) }),
  });
  return { status: statusCode, text: payload, body: JSON.parse(payload) as Json };
}

describe('the examples', () => {
  it('are listed, simplest first, by level and by tag', async () => {
    const all = await ask('GET', '?limit=1000');
    const listed = listIn(all.body['data']);
    expect(listed.map(({ name }) => String(name))).toEqual(EXAMPLES.map(({ name }) => name));
    expect(listed.length).toBeGreaterThan(9);
    expect(Object.keys(listed[0] ?? {}).sort()).toEqual([
      'description',
      'level',
      'live',
      'name',
      'run',
      'tags',
      'title',
    ]);
    const basic = listIn((await ask('GET', '?level=basic')).body['data']);
    expect(basic.map(({ name }) => String(name))).toEqual(
      EXAMPLES.filter(({ level }) => level === 'basic').map(({ name }) => name),
    );
    const tag = EXAMPLES[0]?.tags[0] ?? '';
    expect((await ask('GET', `?tag=${tag}&limit=1`)).body['page']).toMatchObject({
      total: EXAMPLES.filter(({ tags }) => tags.includes(tag)).length,
    });
    expect((await ask('GET', '?level=easy')).text).toContain(EXAMPLE_LEVELS[0]);
  });

  it('are read, each one, as they were written', async () => {
    for (const { name } of EXAMPLES) {
      const { status, body } = await ask('GET', `/${name}/source`);
      expect(status, name).toBe(200);
      const path = String(body['data']?.['path']);
      expect(path, name).toMatch(/^src\/[a-z0-9-]+\.ts$/);
      expect(String(body['data']?.['source']), name).toMatch(/^\/\*\*/);
    }
  });

  it('are read of their own package alone', async () => {
    for (const url of ['../../package.json', '../libs/examples/package.json', '../README.md']) {
      const source = new URL(url, new URL('../', EXAMPLES[0]?.source));
      await expect(readExampleSource({ name: 'x', source }), url).rejects.toThrow(
        /no file of the examples|not there/,
      );
    }
    for (const name of ['no.such', '..%2F..%2Fpackage.json', '%2e%2e', 'examples.b1_hello_world%00'])
      expect((await ask('GET', `/${name}/source`)).status, name).toBe(404);
  });

  it('are run as any run is, with params of the caller', async () => {
    const [example] = EXAMPLES;
    if (example === undefined) throw new Error('there is no example');
    const json = { name: example.name, idempotency_key: 'example-1' };
    const first = await ask('POST', '/run', { ...json, params: { name: 'Ada' } });
    expect(first.status, first.text).toBe(202);
    const runId = String(first.body['data']?.['run_id']);
    const { rows } = await api.engine.pool.query('SELECT kind, name, params FROM runs WHERE id = $1', [
      runId,
    ]);
    const { kind, name, params } = example.run;
    expect(rows).toEqual([{ kind, name, params: { ...params, name: 'Ada' } }]);
    const again = await ask('POST', '/run', { ...json, params: { name: 'Ada' } });
    expect([again.status, String(again.body['data']?.['run_id'])]).toEqual([200, runId]);
    expect((await ask('POST', '/run', json)).status).toBe(409);
  });

  it.each([
    ['nobody’s name', { name: 'no.such' }, 404],
    ['no name', {}, 400],
    ['params that are none', { name: 'x', params: [] }, 400],
    ['another handler', { name: EXAMPLES[0]?.name, handler: 'x' }, 400],
  ])('are not run with %s', async (_label, json, status) => {
    expect((await ask('POST', '/run', json)).status).toBe(status);
  });
});
