/** What the API says while what it stands on is away, and when it is itself at fault. */
import { createConnection, createServer } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { Writable } from 'node:stream';
import { afterEach, describe, expect, it } from 'vitest';
import { createPool } from '@spine/database';
import { createLogger } from '@spine/observability';
import { freePort, startRedisServer, waitFor } from '@spine/testing';
import { startApi } from './api-support.ts';
import type { Api } from './api-support.ts';

const undos: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (let next = undos.pop(); next !== undefined; next = undos.pop()) await next();
});

async function start(...args: Parameters<typeof startApi>): Promise<Api> {
  const api = await startApi(...args);
  undos.push(() => api.close());
  return api;
}

const submit = (api: Api) => api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' } });

/** A way to a server that can be cut. */
async function startProxy(target: { host: string; port: number }) {
  const sockets = new Set<Socket>();
  const server = createServer((client) => {
    const upstream = createConnection(target);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        client.destroy();
        upstream.destroy();
        sockets.delete(socket);
      });
    }
    client.pipe(upstream).pipe(client);
  });
  const listen = (port: number): Promise<void> =>
    new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    cut: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
    mend: () => listen(port),
  };
}

describe('a queue that is down', () => {
  it('makes the API not ready, and takes no run from it', async () => {
    const redis = await startRedisServer();
    undos.push(() => redis.stop());
    const api = await start({ queue: null, redisUrl: redis.url });
    const ready = () => api.call('GET', '/health/ready');
    await waitFor(async () => (await ready()).status === 200, { message: 'ready with its queue' });

    await redis.kill();
    await waitFor(async () => (await ready()).status === 503, { message: 'not ready without its queue' });
    const { body, headers } = await ready();
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/);
    expect(headers.get('retry-after')).toBe('1');
    expect(body).toMatchObject({
      code: 'UNAVAILABLE',
      dependencies: { database: { status: 'up' }, queue: { status: 'down' } },
    });
    expect((await api.call('GET', '/health')).status).toBe(503);
    expect((await api.call('GET', '/health/live')).status).toBe(200);
    expect((await submit(api)).status).toBe(202);
    const board = await api.call('GET', '/admin/queues/api/queues');
    expect(board.status).toBe(503);
    expect(board.body).toMatchObject({
      code: 'UNAVAILABLE',
      detail: 'the queue does not answer',
      errors: [],
    });

    await redis.restart();
    await waitFor(async () => (await ready()).status === 200, { message: 'ready again' });
  });

  it('does not keep the API from starting, nor its board waiting', async () => {
    const api = await start({ queue: null, redisUrl: `redis://127.0.0.1:${await freePort()}` });
    expect((await submit(api)).status).toBe(202);
    for (const path of ['/health/ready', '/admin/queues/api/queues']) {
      const { status, body } = await api.call('GET', path);
      expect(status, path).toBe(503);
      expect(body).toMatchObject({ code: 'UNAVAILABLE', instance: path });
    }
    expect((await api.call('GET', '/admin/queues')).status).toBe(200);
  });

  it('that hangs is not waited for', async () => {
    const redis = await startRedisServer();
    undos.push(() => redis.stop());
    const api = await start({ queue: null, redisUrl: redis.url });
    await waitFor(async () => (await api.call('GET', '/health/ready')).status === 200);
    await redis.pause();
    undos.push(() => redis.resume());
    const answers = await Promise.all(Array.from({ length: 5 }, () => api.call('GET', '/health/ready')));
    for (const { status, body } of answers) {
      expect(status).toBe(503);
      expect(body).toMatchObject({ dependencies: { queue: { status: 'down' } } });
    }
    expect((await submit(api)).status).toBe(202);
  });
});

describe('a database that is away', () => {
  it('is 503 with Retry-After, and nothing of it is told', async () => {
    const api = await start();
    const { hostname, port, href } = new URL(api.database.connectionString);
    const proxy = await startProxy({ host: hostname, port: Number(port) });
    undos.push(() => proxy.cut());
    const proxied = new URL(href);
    proxied.host = `127.0.0.1:${proxy.port}`;
    const behind = await start({ databaseUrl: proxied.href });
    expect((await submit(behind)).status).toBe(202);

    await proxy.cut();
    const answers = await Promise.all([
      submit(behind),
      behind.call('GET', '/api/v1/runs'),
      behind.call('GET', '/health/ready'),
      behind.call('GET', '/api/v1/dlq'),
    ]);
    for (const { status, body, headers, text } of answers) {
      expect(status, text).toBe(503);
      expect(headers.get('retry-after')).toBe('1');
      expect(body).toMatchObject({ code: 'UNAVAILABLE' });
      expect(text).not.toContain(String(proxy.port));
      expect(text).not.toMatch(/ECONN|127\.0\.0\.1|spine_test/);
    }

    await proxy.mend();
    await waitFor(async () => (await submit(behind)).status === 202, { message: 'runs are taken again' });
  });
});

describe('a fault of our own', () => {
  it('is told without its cause; the log has it under the request id', async () => {
    let log = '';
    const destination = new Writable({
      write(chunk: Buffer, _encoding, done) {
        log += chunk.toString();
        done();
      },
    });
    const api = await start({ logger: createLogger({ service: 'api', destination }) });
    const owner = createPool({ connectionString: api.database.connectionString, role: null });
    undos.push(() => owner.end());
    await owner.query('ALTER TABLE runs RENAME TO runs_elsewhere');
    const headers = { 'x-request-id': 'find-me-again' };
    const answers = await Promise.all([
      api.call('GET', '/api/v1/runs?tag=hush', { headers }),
      api.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' }, headers }),
    ]);
    for (const { status, text, body } of answers) {
      expect(status).toBe(500);
      expect(body).toMatchObject({ code: 'INTERNAL', errors: [], request_id: 'find-me-again' });
      expect(text).not.toMatch(/relation|runs_elsewhere|SELECT|at .*\.ts|node_modules/);
    }
    const lines = log.split('\n').filter((line) => line.includes('find-me-again'));
    expect(lines).toHaveLength(2);
    for (const line of lines) expect(line).toContain('relation \\"runs\\" does not exist');
    expect(log).not.toContain('hush');
  });
});
