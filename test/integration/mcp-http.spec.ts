/** The MCP server over HTTP and as a command, against a real API. */
import { once } from 'node:events';
import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { runProgram } from '@spine/cli';
import { MAX_REQUESTS, serveHttp } from '@spine/mcp';
import type { HttpMcp, HttpOptions } from '@spine/mcp';
import { silentLogger } from '@spine/observability';
import type { SpineClient } from '@spine/sdk';
import { waitFor } from '@spine/testing';
import { randomKey, startApi } from './api-support.ts';
import type { Api } from './api-support.ts';
import { assistantOver } from './mcp-support.ts';
import type { Assistant } from './mcp-support.ts';
import { json, quickClient, scriptedServer } from './sdk-support.ts';

const MAIN = fileURLToPath(new URL('../../libs/cli/src/main.ts', import.meta.url));
const KEY = randomKey();
const LIST = { jsonrpc: '2.0', id: 1, method: 'tools/list', params: {} };

let api: Api;
let spine: SpineClient;
let readKey: string;
const closing: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  api = await startApi({ keys: [KEY] });
  await api.startWorker();
  spine = quickClient(api.url, { apiKey: KEY });
  readKey = (await spine.keys.create({ name: 'reader', scopes: ['read'] })).key;
});
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close();
});
afterAll(() => api.close());

async function serve(options: Partial<HttpOptions> = {}): Promise<HttpMcp> {
  const clientOf = (apiKey: string): SpineClient => quickClient(api.url, { apiKey });
  const server = await serveHttp({
    version: '1',
    port: 0,
    allowWrites: true,
    logger: silentLogger(),
    clientOf,
    own: { client: clientOf(KEY), secrets: [KEY] },
    ...options,
  });
  closing.push(() => server.close(0));
  return server;
}

async function connect(server: Pick<HttpMcp, 'url'>, key?: string): Promise<Assistant> {
  const headers: Record<string, string> = key === undefined ? {} : { authorization: `Bearer ${key}` };
  const assistant = await assistantOver(
    new StreamableHTTPClientTransport(new URL(server.url), { requestInit: { headers } }),
  );
  closing.push(() => assistant.close());
  return assistant;
}

interface Raw {
  readonly status: number | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly text: string;
}

/** A request with any header, also those that `fetch` sets itself. */
async function ask(server: HttpMcp, headers: Readonly<Record<string, string>>, body: string): Promise<Raw> {
  const asking = request(server.url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
  });
  asking.end(body);
  const [response] = (await once(asking, 'response')) as [IncomingMessage];
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  return { status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() };
}

describe('over HTTP', () => {
  it('serves many clients, each with its own key, and one without with the server’s', async () => {
    const server = await serve();
    const [own, reader] = [await connect(server), await connect(server, readKey)];
    const submitted = await own.call('run_submit', { kind: 'task', name: 'echo', params: { note: KEY } });
    const run_id = String(submitted.body['data']?.['run_id']);
    expect((await reader.call('run_wait', { run_id })).body['data']).toMatchObject({ ended: true });
    expect((await own.call('run_get', { run_id })).text).not.toContain(KEY);
    const refused = await reader.call('run_submit', { kind: 'task', name: 'echo' });
    expect(refused.body['error']).toMatchObject({ code: 'FORBIDDEN' });
    await expect(connect(server, randomKey())).rejects.toThrow();
  });

  it('refuses pages of other names and other origins, and everything but its one call', async () => {
    const server = await serve();
    const body = JSON.stringify(LIST);
    const { port } = server;
    expect((await ask(server, {}, body)).status).toBe(200);
    expect(await ask(server, { host: `evil.example:${port}` }, body)).toMatchObject({ status: 403 });
    expect(await ask(server, { origin: 'http://evil.example' }, body)).toMatchObject({ status: 403 });
    expect(await ask(server, { origin: `http://localhost:${port}` }, body)).toMatchObject({ status: 403 });
    const get = await fetch(server.url, { headers: { accept: 'text/event-stream' } });
    expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST']);
    expect((await fetch(server.url.replace('/mcp', '/'), { method: 'POST' })).status).toBe(404);
    expect((await ask(server, {}, `{"pad":"${'x'.repeat(2_000_000)}"}`)).status).toBe(413);
    expect((await ask(server, { 'transfer-encoding': 'chunked' }, `"${'x'.repeat(2_000_000)}"`)).status).toBe(
      413,
    );
    expect((await ask(server, {}, 'no json')).status).toBe(400);
    expect((await ask(server, {}, JSON.stringify(Array.from({ length: 100 }, () => LIST)))).status).toBe(400);
    expect((await ask(server, { 'content-type': 'text/plain' }, body)).status).toBe(415);
  });

  it('asks for a key where others can reach it', async () => {
    const server = await serve({ requireKey: true });
    const body = JSON.stringify(LIST);
    const without = await ask(server, {}, body);
    expect(without).toMatchObject({ status: 401, headers: { 'www-authenticate': 'Bearer realm="spine"' } });
    const wrong = await ask(server, { authorization: `Bearer ${randomKey()}` }, body);
    expect([wrong.status, wrong.text]).toEqual([401, without.text]);
    expect((await ask(server, { authorization: `Bearer ${readKey}` }, body)).status).toBe(200);
    await expect(serve({ host: '0.0.0.0' })).rejects.toThrow('--allowed-host');
    const open = await serve({ host: '0.0.0.0', allowedHosts: ['mcp.test'] });
    const local = { ...open, url: `http://127.0.0.1:${open.port}/mcp` };
    expect((await ask(local, { host: 'mcp.test' }, body)).status).toBe(401);
    expect((await ask(local, { host: 'mcp.test', authorization: `Bearer ${KEY}` }, body)).status).toBe(200);
    expect((await ask(local, { host: 'evil.example', authorization: `Bearer ${KEY}` }, body)).status).toBe(
      403,
    );
  });

  it('opens no API that asks for no key to others, and is away when the API is', async () => {
    const answers = [
      { status: 200, body: { data: { mode: 'open' } } },
      { status: 502, body: {} },
    ];
    const other = await scriptedServer((response, n) => json(response, answers[n]?.body, answers[n]?.status));
    closing.push(() => other.close());
    const server = await serve({
      requireKey: true,
      clientOf: (apiKey) => quickClient(other.url, { apiKey, retries: 0 }),
    });
    const asked = { authorization: 'Bearer any' };
    expect(await ask(server, asked, JSON.stringify(LIST))).toMatchObject({ status: 403 });
    expect(await ask(server, asked, JSON.stringify(LIST))).toMatchObject({
      status: 503,
      headers: { 'retry-after': '1' },
    });
  });

  it('serves no more requests at a time than it can', async () => {
    const server = await serve();
    const headers = { 'content-type': 'application/json', 'content-length': '100' };
    const held = Array.from({ length: MAX_REQUESTS }, () => {
      const asking = request(server.url, { method: 'POST', headers }).on('error', () => undefined);
      asking.flushHeaders();
      return asking;
    });
    let refused: Raw | undefined;
    await waitFor(async () => (refused = await ask(server, {}, JSON.stringify(LIST))).status === 503);
    expect(refused?.headers).toMatchObject({ 'retry-after': '1' });
    for (const each of held) each.destroy();
    await waitFor(async () => (await ask(server, {}, JSON.stringify(LIST))).status === 200);
  });

  it('lets calls end when it closes, and takes no new ones', async () => {
    const server = await serve();
    const [assistant, other] = [await connect(server), await connect(server)];
    const { run_id } = await spine.runs.submit({ kind: 'task', name: 'sleep', params: { seconds: 60 } });
    const waiting = assistant.call('run_wait', { run_id });
    await waitFor(async () => (await spine.events.status()).streams > 0);
    const closed = server.close(20_000);
    await expect(other.call('health')).rejects.toThrow();
    await spine.runs.cancel(run_id);
    expect((await waiting).body['data']).toMatchObject({ ended: true, status: 'cancelled' });
    await closed;
  });
});

describe('spine mcp', () => {
  const command = ['--conditions=@spine/source', MAIN, 'mcp'];
  const env = (): Record<string, string> => ({
    PATH: process.env['PATH'] ?? '',
    SPINE_URL: api.url,
    SPINE_API_KEY: KEY,
  });

  it('speaks the protocol on standard output, and ends with its client', async () => {
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [...command, '--log-level', 'debug'],
      env: env(),
      stderr: 'pipe',
    });
    const logged: Buffer[] = [];
    transport.stderr?.on('data', (chunk: Buffer) => logged.push(chunk));
    const strays: Error[] = [];
    const assistant = await assistantOver(transport);
    assistant.client.onerror = (error) => strays.push(error);
    const { pid } = transport;
    expect((await assistant.call('run_list', { limit: 1 })).isError).toBe(false);
    expect((await assistant.call('run_cancel', { run_id: 'x' })).body['error']).toMatchObject({
      code: 'READ_ONLY',
    });
    expect(strays).toEqual([]);
    await assistant.close();
    expect(pid === null || isAlive(pid)).toBe(false);
    const log = Buffer.concat(logged).toString();
    expect(log).toContain('"tool":"run_list"');
    expect(log).not.toContain(KEY);
  });

  it('serves HTTP until it is told to end', async () => {
    const interrupt = new AbortController();
    const [stdout, stderr] = [new PassThrough(), new PassThrough()];
    const running = runProgram(['mcp', '--http', '--port', '0', '--require-key'], {
      stdin: Readable.from([]),
      stdout,
      stderr,
      cwd: import.meta.dirname,
      env: env(),
      interrupts: () => interrupt.signal,
    });
    const [said] = (await once(stderr, 'data')) as [Buffer];
    const [url = ''] = /http:\S+/.exec(said.toString()) ?? [];
    const assistant = await connect({ url }, readKey);
    expect((await assistant.call('health')).isError).toBe(false);
    interrupt.abort(new Error('enough'));
    expect(await running).toBe(0);
    expect(stdout.read()).toBeNull();
    await expect(assistant.call('health')).rejects.toThrow();
  });

  it('says what is wrong with its options', async () => {
    const failing = async (...args: string[]): Promise<string> => {
      const stderr = new PassThrough();
      const io = { stdin: Readable.from([]), stdout: new PassThrough(), stderr, cwd: import.meta.dirname };
      const interrupts = (): AbortSignal => AbortSignal.timeout(10_000);
      expect(await runProgram(['mcp', ...args], { ...io, env: env(), interrupts })).toBe(2);
      return String(stderr.read());
    };
    expect(await failing('--host', '0.0.0.0')).toContain('--host needs --http');
    expect(await failing('--http', '--host', '0.0.0.0')).toContain('--allowed-host');
    expect(await failing('--http', '--port', '70000')).toContain('0 to 65535');
  });
});

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
