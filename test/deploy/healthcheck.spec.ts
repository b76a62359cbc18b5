import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { projectFile } from './compose-file.ts';

const servers: Server[] = [];

async function urlOf(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/health/ready`;
}

function check(...args: string[]): Promise<{ code: number; output: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [projectFile('deploy/healthcheck.mjs'), ...args], (error, stdout, stderr) => {
      resolve({
        code: typeof error?.code === 'number' ? error.code : error === null ? 0 : -1,
        output: stdout + stderr,
      });
    });
  });
}

afterEach(async () => {
  for (const server of servers.splice(0)) {
    const closed = once(server, 'close');
    server.close();
    server.closeAllConnections();
    await closed;
  }
});

describe('deploy/healthcheck.mjs', () => {
  it('is content with 200 and asks for what it is told', async () => {
    const url = await urlOf((request, response) =>
      response.writeHead(request.url === '/health/ready' ? 200 : 404).end(),
    );
    expect(await check(url)).toEqual({ code: 0, output: `${url}: answered 200\n` });
  });

  it('fails on any other answer', async () => {
    const url = await urlOf((_request, response) => response.writeHead(503).end());
    expect(await check(url)).toEqual({ code: 1, output: `${url}: answered 503\n` });
  });

  it('fails on an answer that breaks off', async () => {
    const url = await urlOf((_request, response) => response.destroy());
    expect(await check(url)).toMatchObject({
      code: 1,
      output: expect.stringContaining('socket hang up') as string,
    });
  });

  it('fails when nobody listens', async () => {
    const url = await urlOf(() => undefined);
    servers.splice(0).forEach((server) => server.close());
    expect(await check(url)).toMatchObject({
      code: 1,
      output: expect.stringContaining('ECONNREFUSED') as string,
    });
  });

  it('gives up on a process that does not answer', async () => {
    const url = await urlOf(() => undefined);
    expect(await check(url, '200')).toMatchObject({
      code: 1,
      output: expect.stringContaining('aborted') as string,
    });
  });

  it('fails without a URL', async () => {
    expect((await check()).code).toBe(1);
  });
});
