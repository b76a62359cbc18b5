import { request } from 'node:http';
import { once } from 'node:events';
import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { anyText, listIn, startApi, textLike } from './api-support.ts';
import type { Api, CallInit } from './api-support.ts';

let api: Api;

beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api.close());

const MIB = 1024 * 1024;
const nested = (depth: number): string => `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`;
const withParams = (params: string): string => `{"kind":"task","name":"echo","params":${params}}`;
const spec = (fields: object): string => JSON.stringify({ kind: 'task', name: 'echo', ...fields });

interface Malformed extends CallInit {
  readonly what: string;
  /** What an error's field must be; a pattern where the rest is arbitrary. */
  readonly field: string | RegExp;
  readonly status?: number;
  readonly code?: string;
}

const BODIES: readonly Malformed[] = [
  { what: 'no body', field: 'body' },
  { what: 'an empty body', body: '', field: 'body' },
  { what: 'text that is not JSON', body: '{"kind":', field: 'body' },
  { what: 'two documents', body: '{}{}', field: 'body' },
  { what: 'null', body: 'null', field: 'body' },
  { what: 'a list', body: '[]', field: 'body' },
  { what: 'a text', body: '"echo"', field: 'body' },
  { what: 'bytes that are not UTF-8', body: new Uint8Array([0x22, 0xc3, 0x28, 0x22]), field: 'body' },
  { what: 'UTF-16', body: new Uint8Array(Buffer.from(spec({}), 'utf16le')), field: 'body' },
  { what: 'no kind', body: '{"name":"echo"}', field: 'kind' },
  { what: 'an unknown kind', body: spec({ kind: 'job' }), field: 'kind' },
  { what: 'a kind of another type', body: spec({ kind: 1 }), field: 'kind' },
  { what: 'no name', body: '{"kind":"task"}', field: 'name' },
  { what: 'a name that is none', body: spec({ name: '../../etc/passwd' }), field: 'name' },
  { what: 'a name that is too long', body: spec({ name: 'n'.repeat(201) }), field: 'name' },
  { what: 'an unknown field', body: spec({ colour: 'red' }), field: 'colour' },
  { what: 'a field in camelCase', body: spec({ idempotencyKey: 'k' }), field: 'idempotencyKey' },
  { what: 'a column of the engine', body: spec({ status: 'completed' }), field: 'status' },
  { what: 'params that are a list', body: spec({ params: [] }), field: 'params' },
  { what: 'params that are text', body: spec({ params: 'a=1' }), field: 'params' },
  { what: 'params that are null', body: spec({ params: null }), field: 'params' },
  { what: 'metadata that is a number', body: spec({ metadata: 7 }), field: 'metadata' },
  { what: 'tags that are text', body: spec({ tags: 'a,b' }), field: 'tags' },
  { what: 'a tag that is a number', body: spec({ tags: ['a', 1] }), field: 'tags[1]' },
  { what: 'too many tags', body: spec({ tags: Array.from({ length: 21 }, String) }), field: 'tags' },
  { what: 'an unknown priority', body: spec({ priority: 'urgent' }), field: 'priority' },
  { what: 'a lane in capitals', body: spec({ lane: 'Default' }), field: 'lane' },
  { what: 'a parent that is no id', body: spec({ parent_run_id: '17' }), field: 'parent_run_id' },
  { what: 'retries as text', body: spec({ max_retries: '3' }), field: 'max_retries' },
  { what: 'half a retry', body: spec({ max_retries: 1.5 }), field: 'max_retries' },
  { what: 'negative retries', body: spec({ max_retries: -1 }), field: 'max_retries' },
  { what: 'no time at all', body: spec({ timeout_seconds: 0 }), field: 'timeout_seconds' },
  { what: 'a date without a time', body: spec({ run_after: '2030-01-01' }), field: 'run_after' },
  { what: 'a day that is none', body: spec({ run_after: '2030-02-30T00:00:00Z' }), field: 'run_after' },
  { what: 'the year 0', body: spec({ run_after: '0000-06-01T00:00:00Z' }), field: 'run_after' },
  { what: 'a year past 9999', body: spec({ run_after: '9999-12-31T23:59:59-10:00' }), field: 'run_after' },
  { what: 'an empty key', body: spec({ idempotency_key: '' }), field: 'idempotency_key' },
  {
    what: '__proto__ in params',
    body: withParams('{"__proto__":{"admin":true}}'),
    field: 'params.__proto__',
  },
  { what: '__proto__ at the top', body: '{"kind":"task","name":"echo","__proto__":{}}', field: '__proto__' },
  { what: '__proto__ by escape', body: withParams('{"\\u005f_proto__":1}'), field: 'params.__proto__' },
  {
    what: 'constructor deep in params',
    body: withParams('{"a":[{"constructor":1}]}'),
    field: 'params.a[0].constructor',
  },
  { what: 'NUL in params', body: withParams('{"text":"a\\u0000b"}'), field: 'params.text' },
  { what: 'a raw NUL in a text', body: withParams('{"text":"a\0b"}'), field: 'body' },
  { what: 'NUL in a key of params', body: withParams('{"a\\u0000":1}'), field: /^params/ },
  { what: 'NUL in the name', body: '{"kind":"task","name":"ec\\u0000ho"}', field: 'name' },
  { what: 'NUL in a tag', body: spec({ tags: ['a\0'] }), field: 'tags[0]' },
  { what: 'a lone surrogate', body: withParams('{"text":"\\ud800"}'), field: 'params.text' },
  { what: 'depth 100', body: withParams(nested(100)), field: /^params(\.a)+$/ },
  { what: 'depth 100,000', body: withParams(nested(100_000)), field: /^params(\.a)+$/ },
  { what: 'a number JSON cannot keep', body: withParams('{"n":9007199254740993}'), field: 'params.n' },
  { what: 'a number past all numbers', body: withParams('{"n":1e400}'), field: 'params.n' },
  {
    what: '16.5 MiB of params',
    body: spec({ params: { text: 'x'.repeat(16.5 * MIB) } }),
    field: 'params',
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    what: 'params of just over 16 MiB in bytes',
    body: spec({ params: { text: 'é'.repeat(8 * MIB) } }),
    field: 'params',
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    what: 'metadata over its limit',
    body: spec({ metadata: { text: 'x'.repeat(20_000) } }),
    field: 'metadata',
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
  {
    what: 'a body over 17 MiB',
    body: spec({ params: { text: 'x'.repeat(18 * MIB) } }),
    field: 'body',
    status: 413,
    code: 'PAYLOAD_TOO_LARGE',
  },
];

describe('POST /runs refuses', () => {
  it.each(BODIES)('$what', async ({ body, field, status = 400, code = 'VALIDATION_FAILED' }) => {
    const before = await api.rowCounts();
    const answer = await api.call('POST', '/api/v1/runs', body === undefined ? {} : { body });
    expect(answer.status, answer.text.slice(0, 500)).toBe(status);
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(answer.body).toMatchObject({
      type: textLike(/^urn:spine:problem:/),
      title: anyText,
      status,
      code,
      detail: anyText,
      instance: '/api/v1/runs',
      request_id: answer.headers.get('x-request-id'),
    });
    const fields = listIn(answer.body['errors']).map((error) => String(error['field']));
    expect(fields).toContainEqual(field instanceof RegExp ? textLike(field) : field);
    expect(await api.rowCounts()).toEqual(before);
  });

  it.each([
    ['text/plain', {}],
    ['application/x-www-form-urlencoded', {}],
    ['multipart/form-data; boundary=x', {}],
    ['application/xml', {}],
    ['application/json', { 'content-encoding': 'gzip' }],
  ])('a body of type %s %o', async (type, headers) => {
    const before = await api.rowCounts();
    const answer = await api.call('POST', '/api/v1/runs', {
      body: spec({}),
      headers: { 'content-type': type, ...headers },
    });
    expect(answer.status).toBe(415);
    expect(answer.body).toMatchObject({ code: 'UNSUPPORTED_MEDIA_TYPE' });
    expect(await api.rowCounts()).toEqual(before);
  });

  it('a chunked body over the limit, without waiting for its end', async () => {
    const client = request(`${api.url}/api/v1/runs`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
    });
    // The server answers and closes while we still write.
    client.on('error', () => undefined);
    const answered = once(client, 'response');
    client.write('{"kind":"task","name":"echo","params":{"text":"');
    for (let sent = 0; sent <= 17; sent += 1) client.write('x'.repeat(MIB));
    const [response] = (await answered) as [{ statusCode: number }];
    expect(response.statusCode).toBe(413);
    client.destroy();
  });

  it.each([
    ['text that is not HTTP', 'HELLO\r\n\r\n'],
    ['headers that are too large', `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${'x'.repeat(32_768)}\r\n\r\n`],
  ])('%s', async (_name, sent) => {
    const socket = createConnection(Number(new URL(api.url).port), '127.0.0.1');
    socket.on('error', () => undefined);
    let answer = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => (answer += chunk));
    socket.write(sent);
    await new Promise((resolve) => socket.once('close', resolve));
    expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
    expect(answer).toContain('application/problem+json');
    expect(answer).toContain('"code":"VALIDATION_FAILED"');
  });

  it('nothing that is well formed: the same shapes with good values are stored', async () => {
    const good = [
      spec({ params: { text: 'x'.repeat(MIB - 100) } }),
      withParams(nested(60)),
      withParams('{"text":"\\ud83d\\ude00 \\\\u0000","n":9007199254740991,"tiny":1e-7}'),
      spec({ tags: Array.from({ length: 20 }, String), timeout_seconds: 0.001, max_retries: 0 }),
    ];
    for (const body of good) {
      const answer = await api.call('POST', '/api/v1/runs', { body });
      expect(answer.status, answer.text.slice(0, 500)).toBe(202);
    }
  });
});

describe('the other endpoints with bodies refuse', () => {
  const id = '01890000-0000-7000-8000-00000000dead';
  it.each([
    [`/api/v1/runs/${id}/cancel`, { reason: 7 }, 'reason'],
    [`/api/v1/runs/${id}/cancel`, { why: 'x' }, 'why'],
    [`/api/v1/runs/${id}/cancel`, ['x'], 'body'],
    [`/api/v1/runs/${id}/retry`, { params: {} }, 'params'],
    [`/api/v1/dlq/${id}/replay`, { note: 'x'.repeat(2_001) }, 'note'],
    [`/api/v1/dlq/${id}/resolve`, { resolved_by: '' }, 'resolved_by'],
    [`/api/v1/dlq/${id}/resolve`, { resolved_by: null }, 'resolved_by'],
  ])('%s %o', async (path, json, field) => {
    const { status, body } = await api.call('POST', path, { json });
    expect(status).toBe(400);
    expect(body).toMatchObject({ code: 'VALIDATION_FAILED', errors: [{ field }] });
  });

  it('unknown query parameters everywhere', async () => {
    for (const path of [
      '/health',
      '/health/live',
      '/metrics',
      '/api/v1/capabilities',
      '/api/v1/functions',
      '/api/v1/dlq',
    ]) {
      const { status, body } = await api.call('GET', `${path}?verbose=1`);
      expect(status, path).toBe(400);
      expect(body).toMatchObject({ errors: [{ field: 'verbose', code: 'unknown_field' }] });
    }
  });
});
