/** What comes over the wire before there is a request, and around it: raw bytes, huge bodies, other paths to a route. */
import { createConnection } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { waitFor } from '@spine/testing';
import { listIn } from './api-support.ts';
import { ADMIN, openProbed, sendRaw } from './probes-support.ts';
import type { Probed } from './probes-support.ts';

const MIB = 1024 * 1024;

let probed: Probed;
let reader: string;
beforeAll(async () => {
  probed = await openProbed();
  const { body } = await probed.call('POST', '/api/v1/keys', { json: { name: 'reader', scopes: ['read'] } });
  reader = String(body['data']?.['key']);
});
afterAll(() => probed.close());

const raw = (bytes: string | Buffer, enough?: (answer: string) => boolean): Promise<string> =>
  sendRaw(probed.api.url, bytes, enough);

/** The text of a request; its connection is closed after the answer. */
function asked(line: string, headers: readonly string[] = [], body = '', key = ADMIN): string {
  return [
    `${line} HTTP/1.1`,
    'Host: localhost',
    `X-API-Key: ${key}`,
    'Connection: close',
    ...headers,
    '',
    body,
  ].join('\r\n');
}

const statuses = (answer: string): number[] =>
  [...answer.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((match) => Number(match[1]));
const runs = async (): Promise<number> => (await probed.api.rowCounts()).runs;
const SPEC = JSON.stringify({ kind: 'task', name: 'echo' });

describe('headers', () => {
  it.each([
    'a\r\n injected: 1',
    'a\u000b',
    'a b',
    '../../etc',
    'x'.repeat(129),
    '{"a":1}',
    '%0d%0aX-Injected:1',
    'é',
  ])('a request id that is not safe to repeat is not repeated: %j', async (id) => {
    const answer = await raw(asked('GET /health/live', [`X-Request-Id: ${id}`]));
    expect(answer).not.toMatch(/^(?:x-)?injected:/im);
    const given = /^x-request-id: (.*)\r$/im.exec(answer)?.[1];
    if (statuses(answer)[0] === 200) expect(given).toMatch(/^[0-9a-f-]{36}$/);
    else expect(statuses(answer)).toEqual([400]);
  });

  it.each([
    ['two lengths', ['Content-Length: 5', 'Content-Length: 6']],
    ['a length and chunks', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
    ['chunks in other words', ['Transfer-Encoding: xchunked']],
    ['chunks twice', ['Transfer-Encoding: chunked, identity']],
    ['a length that is none', ['Content-Length: 0x10']],
    ['a negative length', ['Content-Length: -1']],
    ['a name with a space', ['X Y: 1']],
    ['NUL in a value', ['X: a\u0000b']],
  ])('that make two requests of one are refused, and the connection ends: %s', async (_name, headers) => {
    const before = await runs();
    const smuggled = `0\r\n\r\n${asked('POST /api/v1/runs', ['Content-Type: application/json', `Content-Length: ${SPEC.length}`], SPEC)}`;
    const answer = await raw(
      [
        `POST /api/v1/runs HTTP/1.1`,
        'Host: localhost',
        'Content-Type: application/json',
        `X-API-Key: ${ADMIN}`,
        ...headers,
        '',
        smuggled,
      ].join('\r\n'),
    );
    expect(statuses(answer)).toEqual([400]);
    expect(await runs()).toBe(before);
  });

  it('of one request do not stay for the next of the connection', async () => {
    const first = asked('GET /api/v1/runs').replace('Connection: close', 'Connection: keep-alive');
    const answer = await raw(`${first}${asked('GET /api/v1/runs').replace(/X-API-Key.*\r\n/, '')}`);
    expect(statuses(answer)).toEqual([200, 401]);
  });

  it('that name another method are not listened to', async () => {
    const { names } = probed;
    for (const header of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
      for (const method of ['GET', 'POST']) {
        const target = `/api/v1/schedules/${names['schedule_id'] ?? ''}`;
        const answer = await raw(
          asked(`${method} ${target}?_method=DELETE`, [`${header}: DELETE`, 'Content-Length: 0']),
        );
        expect(statuses(answer)[0], `${method} ${header}`).toBeGreaterThanOrEqual(400);
        await raw(asked(`${method} ${target}`, [`${header}: DELETE`, 'Content-Length: 0']));
        expect((await probed.call('GET', target)).status).toBe(200);
      }
    }
  });
});

describe('other paths to a route', () => {
  const MADE = '{"name":"made","scopes":["read"]}';
  it.each([
    '/%61pi/v1/keys',
    '/api/v1/%6beys',
    '//api/v1/keys',
    '/api//v1/keys',
    '/api/v1/keys/',
    '/API/V1/KEYS',
    '/api/v1/keys;x=1',
    '/api/v1/keys;.js',
    '/api/v1/./keys',
    '/api/v1/runs/../keys',
    '/api/v1/runs/%2e%2e/keys',
    '/health/..%2fapi%2fv1%2fkeys',
    '/api/v1\\keys',
    '/api/v1/keys%00',
    '/api/v1/keys%20',
    '/api/v1/keys?x=/health',
    '/api/v1/keys#/health',
    'http://localhost/api/v1/keys',
    '/docs/../api/v1/keys',
    '/docs/%2e%2e/api/v1/keys',
  ])('give a key that may only read no more: %s', async (path) => {
    const headers = ['Content-Type: application/json', `Content-Length: ${MADE.length}`];
    for (const method of ['POST', 'GET', 'HEAD', 'PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
      const answer = await raw(asked(`${method} ${path}`, headers, MADE, reader));
      expect([400, 403, 404, 405], `${method} ${answer.slice(0, 100)}`).toContain(statuses(answer)[0]);
    }
    const { body } = await probed.call('GET', '/api/v1/keys');
    expect(listIn(body['data']).map((key) => String(key['name']))).not.toContain('made');
  });

  it('TRACE and CONNECT are no methods here', async () => {
    for (const line of ['TRACE /api/v1/runs', 'CONNECT localhost:80', 'BREW /api/v1/runs']) {
      const answer = await raw(asked(line));
      expect(answer, line).not.toMatch(/^HTTP\/1\.1 2/);
      expect(answer).not.toContain(ADMIN);
    }
  });
});

/** Writes until the server has closed the connection; answers with what came and how many bytes went. */
function pour(head: string, chunk: Buffer, upTo: number): Promise<{ answer: string; sent: number }> {
  const { hostname, port } = new URL(probed.api.url);
  return new Promise((resolve) => {
    const socket = createConnection(Number(port), hostname);
    let answer = '';
    let sent = 0;
    const more = (): void => {
      while (sent < upTo && !socket.destroyed) {
        sent += chunk.length;
        if (!socket.write(chunk)) return void socket.once('drain', more);
      }
    };
    socket.setEncoding('latin1').on('data', (text: string) => (answer += text));
    // The server closes while we still write.
    socket.on('error', () => undefined);
    socket.on('close', () => resolve({ answer, sent }));
    socket.write(head, more);
  });
}

describe('bodies', () => {
  const size = 100 * MIB;
  const zeros = Buffer.alloc(64 * 1024, '0');
  const post = (path: string, header: string): string =>
    asked(`POST ${path}`, ['Content-Type: application/json', header]);

  it('of 100 MiB are refused before they have come, and the connection ends', async () => {
    for (const path of [
      '/api/v1/runs',
      '/api/v1/runs/batch',
      '/api/v1/workflows',
      '/api/v1/keys',
      '/nowhere',
    ]) {
      const head = post(path, `Content-Length: ${size}`);
      expect(await raw(head), path).toMatch(/^HTTP\/1\.1 (413|404) /);
      expect((await pour(head, zeros, size)).sent).toBeLessThan(size / 2);
    }
  });

  it('without end and without a length are cut at the limit of their endpoint', async () => {
    const before = await runs();
    const chunk = Buffer.concat([Buffer.from('10000\r\n'), zeros, Buffer.from('\r\n')]);
    for (const path of ['/api/v1/runs', '/api/v1/keys']) {
      const { answer, sent } = await pour(post(path, 'Transfer-Encoding: chunked'), chunk, size);
      // Whoever goes on writing may be cut off before it has read the answer.
      if (answer !== '') expect(answer, path).toMatch(/^HTTP\/1\.1 413 /);
      expect(sent).toBeLessThan(size / 2);
    }
    expect(await runs()).toBe(before);
  });

  it('that ask first are told so before they are sent', async () => {
    const answer = await raw(
      post('/api/v1/runs', `Content-Length: ${size}\r\nExpect: 100-continue`),
      (text) => text.includes('413'),
    );
    expect(answer).toContain('HTTP/1.1 413');
    const nobody = asked(
      'POST /api/v1/runs',
      ['Content-Type: application/json', 'Content-Length: 100'],
      '',
      'wrong',
    );
    expect(statuses(await raw(nobody))).toEqual([401]);
  });

  it('of hundreds of thousands of brackets are read without a stack that grows', async () => {
    for (const [open, close] of [
      ['[', ']'],
      ['{"a":', '}'],
    ] as const) {
      const depth = Math.floor(MIB / (open.length + close.length));
      for (const body of [open.repeat(depth), `${open.repeat(depth)}1${close.repeat(depth)}`]) {
        const answer = await probed.call('POST', '/api/v1/runs', { body });
        expect(answer.status).toBe(400);
        expect(answer.text.length).toBeLessThan(10_000);
      }
    }
  });

  it('of forms and other types, which a page of another site may send, are not read', async () => {
    const before = await runs();
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
    ]) {
      const { status } = await probed.call('POST', '/api/v1/runs', {
        body: SPEC,
        headers: { 'content-type': type },
      });
      expect(status, type).toBe(415);
    }
    expect(await runs()).toBe(before);
  });
});

describe('pages of other sites', () => {
  const basic = `Basic ${Buffer.from(`x:${ADMIN}`).toString('base64')}`;
  const call = (method: string, path: string, headers: Record<string, string>, body?: string) =>
    probed.api.call(method, path, { headers, ...(body === undefined ? {} : { body }) });

  it('cannot use what a browser remembers of the board and the documentation', async () => {
    const foreign = { authorization: basic, 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' };
    for (const [method, path] of [
      ['PUT', '/admin/queues/api/queues/default/pause'],
      ['POST', '/admin/queues/api/queues/default/add'],
      ['POST', '/docs'],
    ] as const) {
      const { status } = await call(method, path, foreign, '{}');
      expect([403, 404, 405], `${method} ${path}`).toContain(status);
    }
    // What is remembered is offered to these pages alone, and the API does not take it.
    expect((await call('POST', '/api/v1/runs', foreign, SPEC)).status).toBe(403);
    expect((await call('POST', '/api/v1/runs', { authorization: basic }, SPEC)).status).toBe(401);
  });

  it('may read nothing, ask nothing and frame nothing', async () => {
    const origin = { origin: 'https://evil.example', 'x-api-key': ADMIN };
    for (const path of ['/api/v1/runs', '/docs', '/admin/queues', '/metrics', '/nowhere']) {
      const { headers } = await call('GET', path, origin);
      expect(
        [...headers.keys()].filter((name) => name.startsWith('access-control-')),
        path,
      ).toEqual([]);
    }
    const preflight = await call('OPTIONS', '/api/v1/runs', {
      ...origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'x-api-key',
    });
    expect(preflight.headers.get('access-control-allow-origin')).toBeNull();
    for (const page of ['/docs', '/admin/queues']) {
      const policy = (await call('GET', page, origin)).headers.get('content-security-policy');
      expect(policy, page).toContain("frame-ancestors 'none'");
    }
  });
});

/** Of five kinds; the count does not depend on it. */
const NAMES = 2_500;

describe('names without end', () => {
  it('leave the number of metric series as it is', async () => {
    const series = async (): Promise<number> => {
      const { text } = await probed.call('GET', '/metrics');
      return text.split('\n').filter((line) => line.startsWith('spine_http')).length;
    };
    const path = (n: number): string[] => [
      `/x${n}`,
      `/api/v1/runs/${n}`,
      `/api/v1/workflows/w${n}`,
      `/docs/${n}`,
      `/api/v1/functions/task/f${n}?a${n}=1`,
    ];
    const send = async (from: number, to: number): Promise<void> => {
      const all = Array.from({ length: to - from }, (_none, index) => path(from + index)).flat();
      const last = all.length - 1;
      // One connection, as fast as it goes.
      const text = all.map((each, index) =>
        index === last
          ? asked(`GET ${each}`)
          : asked(`GET ${each}`).replace('Connection: close', 'Connection: keep-alive'),
      );
      expect(statuses(await raw(text.join(''))).length).toBe(all.length);
    };
    await send(0, 2);
    // Looking is a request too.
    await series();
    const before = await series();
    await send(2, 2 + NAMES / 5);
    await waitFor(async () => (await series()) === before);
  });
});
