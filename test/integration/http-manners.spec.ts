/** What every answer has to hold beside its content: compression, ETags, headers. */
import { request } from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WorkflowRegistry } from '@spine/orchestration';
import { randomKey, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';

const KEY = randomKey();
const WORKFLOW = {
  name: 'manners.etl',
  steps: [{ name: 'load', kind: 'lambda', handler: 'load' }],
};

let api: Api;
beforeAll(async () => {
  const workflows = new WorkflowRegistry().registerFunction('load', () => ({}));
  api = await startApi({ keys: [KEY], register: (registry) => void workflows.registerHandlers(registry) });
  const made = await publish(WORKFLOW);
  expect(made.status, made.body.toString()).toBe(201);
});
afterAll(() => api.close());

interface Raw {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Without a client that decompresses by itself. */
function ask(
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
  body?: string,
): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const client = request(
      `${api.url}${path}`,
      {
        method,
        headers: {
          'x-api-key': KEY,
          ...headers,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    client.on('error', reject);
    client.end(body);
  });
}

const publish = (definition: object): Promise<Raw> =>
  ask('/api/v1/workflows', {}, 'POST', JSON.stringify({ definition }));

const GZIP = { 'accept-encoding': 'gzip, deflate, br' };

describe('answers', () => {
  it.each(['/api/v1/functions', '/metrics', '/docs/openapi.json'])(
    'are sent as gzip where a read is large: %s',
    async (path) => {
      const [plain, packed] = [await ask(path), await ask(path, GZIP)];
      expect([plain.status, packed.status]).toEqual([200, 200]);
      expect(plain.headers['content-encoding']).toBeUndefined();
      expect(packed.headers).toMatchObject({
        'content-encoding': 'gzip',
        vary: expect.stringContaining('accept-encoding') as string,
      });
      expect(packed.headers['content-type']).toBe(plain.headers['content-type']);
      expect(packed.body.length).toBeLessThan(plain.body.length / 2);
      expect(gunzipSync(packed.body).length).toBeGreaterThan(1024);
    },
  );

  it('are sent as they are where they are small, or the client wants it so', async () => {
    expect((await ask('/health/live', GZIP)).headers['content-encoding']).toBeUndefined();
    for (const encoding of ['gzip;q=0', 'identity', 'br', 'nonsense']) {
      const answer = await ask('/api/v1/functions', { 'accept-encoding': encoding });
      expect(answer.headers['content-encoding'], encoding).toBeUndefined();
      expect(answer.body.toString()).toMatch(/^\{.*\}$/s);
    }
  });

  it('of what is not a read are never compressed: they may hold a new key beside what the caller wrote', async () => {
    const json = JSON.stringify({ name: 'n'.repeat(200), scopes: ['read'] });
    const key = await ask('/api/v1/keys', GZIP, 'POST', json);
    expect([key.status, key.headers['content-encoding']]).toEqual([201, undefined]);
    const runs = Array.from({ length: 50 }, () => ({ kind: 'task', name: 'echo' }));
    const batch = await ask('/api/v1/runs/batch', GZIP, 'POST', JSON.stringify({ runs }));
    expect(batch.body.length).toBeGreaterThan(1024);
    expect(batch.headers['content-encoding']).toBeUndefined();
  });

  it('that are a stream of events come one by one, whatever the client takes', async () => {
    const gone = new AbortController();
    const { headers } = await fetch(`${api.url}/api/v1/events/stream`, {
      headers: { 'x-api-key': KEY, ...GZIP },
      signal: gone.signal,
    });
    expect(headers.get('content-type')).toContain('text/event-stream');
    expect(headers.get('content-encoding')).toBeNull();
    gone.abort();
  });
});

describe('If-None-Match', () => {
  const paths = ['', '/yaml', '/versions/1'].map((rest) => `/api/v1/workflows/${WORKFLOW.name}${rest}`);

  it.each(paths)('of %s is answered 304 while nothing has changed', async (path) => {
    const first = await ask(path);
    const etag = String(first.headers['etag']);
    expect(first.headers['cache-control']).toBe('private, no-cache');
    for (const [method, tag] of [
      ['GET', etag],
      ['HEAD', `W/${etag}`],
      ['GET', `"other", ${etag}`],
      ['GET', '*'],
    ] as const) {
      const again = await ask(path, { 'if-none-match': tag, ...GZIP }, method);
      expect([again.status, again.body.length], tag).toEqual([304, 0]);
      expect(again.headers).toMatchObject({ etag, 'x-request-id': expect.any(String) as string });
      expect(again.headers['content-type']).toBeUndefined();
    }
    expect((await ask(path, { 'if-none-match': '"other"' })).status).toBe(200);
  });

  it('is not answered 304 when it has changed, by who may not see it, or for what is not there', async () => {
    const [path = ''] = paths;
    const etag = String((await ask(path)).headers['etag']);
    expect((await ask(path, { 'if-none-match': etag, 'x-api-key': randomKey() })).status).toBe(401);
    expect((await ask(`${path}x`, { 'if-none-match': '*' })).status).toBe(404);
    const second = { ...WORKFLOW, description: 'again' };
    expect((await publish(second)).status).toBe(201);
    const changed = await ask(path, { 'if-none-match': etag });
    expect(changed.status).toBe(200);
    expect(changed.headers['etag']).not.toBe(etag);
  });

  it('does nothing where the tag does not tell everything: a schedule moves on under its version', async () => {
    const body = {
      name: 'm',
      target_type: 'task',
      target_name: 'echo',
      schedule_type: 'interval',
      interval_seconds: 60,
    };
    const made = await ask('/api/v1/schedules', {}, 'POST', JSON.stringify(body));
    const path = String(made.headers['location']);
    const { headers } = await ask(path);
    expect((await ask(path, { 'if-none-match': String(headers['etag']) })).status).toBe(200);
  });
});
