import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { HttpConnection } from './http-connection.ts';

const LARGE = 'ü'.repeat(300_000);

const server = createServer((request, answer) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const body = `${request.method} ${request.url} ${Buffer.concat(chunks).toString('utf8')}`;
    if (request.url === '/hang-up') request.socket.destroy();
    else if (request.url === '/chunked') answer.write(body, () => answer.end());
    else {
      answer.statusCode = request.url === '/absent' ? 404 : 200;
      answer.end(request.url === '/large' ? LARGE : body);
    }
  });
});
let url = '';
let connection: HttpConnection;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  connection = new HttpConnection(url);
});
afterAll(() => {
  connection.close();
  server.close();
});

async function asked(method: 'GET' | 'POST', path: string, body?: string): Promise<[number, string]> {
  const { status, text } = await connection.ask(method, path, body);
  return [status, text()];
}

describe('a connection of a load generator', () => {
  it('asks one thing after the other', async () => {
    expect(await asked('GET', '/a?b=1')).toEqual([200, 'GET /a?b=1 ']);
    expect(await asked('POST', '/b', '{"c":"ü"}')).toEqual([200, 'POST /b {"c":"ü"}']);
    expect(await asked('GET', '/absent')).toEqual([404, 'GET /absent ']);
  });

  it('waits for the whole of an answer that comes in pieces', async () => {
    expect(await asked('GET', '/large')).toEqual([200, LARGE]);
    expect(await asked('GET', '/after')).toEqual([200, 'GET /after ']);
  });

  it.each(['/chunked', '/hang-up'])('fails where it cannot tell the answer: %s', async (path) => {
    const other = new HttpConnection(url);
    await expect(other.ask('GET', path)).rejects.toThrow(/no length|closed|reset/i);
  });
});
