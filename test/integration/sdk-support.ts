/** Servers that answer a client as a test says: also too late, half, or not at all. */
import { createServer, request } from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createSpineClient } from '@spine/sdk';
import type { SpineClient, SpineClientOptions } from '@spine/sdk';

export interface Asked {
  readonly method: string;
  readonly url: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export interface ScriptedServer {
  readonly url: string;
  /** What was asked, in order. */
  readonly asked: readonly Asked[];
  close(): Promise<void>;
}

/** Answers the nth request (from 0) with `answer`. */
export async function scriptedServer(
  answer: (response: ServerResponse, n: number, asked: Asked) => unknown,
): Promise<ScriptedServer> {
  const asked: Asked[] = [];
  const server = createServer((incoming, response) => {
    const chunks: Buffer[] = [];
    incoming.on('data', (chunk: Buffer) => chunks.push(chunk));
    incoming.on('end', () => {
      const { method = '', url = '', headers } = incoming;
      const each = { method, url, headers, body: Buffer.concat(chunks).toString() };
      asked.push(each);
      void answer(response, asked.length - 1, each);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Cuts the connection instead of answering. */
export function cut(response: ServerResponse): void {
  response.destroy();
}

export function json(
  response: ServerResponse,
  body: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(body));
}

export function problem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  json(response, { status, code, title: code, detail: `${code} it is`, errors: [] }, status, {
    'content-type': 'application/problem+json',
    ...headers,
  });
}

/** Of a connection; they may be changed while it is used. */
export interface Faults {
  /** Of which requests the answer is lost after it came. */
  lose?: (asked: Asked, n: number) => boolean;
  /** After which part of an answer the connection breaks off. */
  cutAfter?: (text: string) => boolean;
}

/** Hands requests on, with these faults. */
export function proxyTo(target: string, faults: Faults): Promise<ScriptedServer> {
  return scriptedServer((response, n, asked) => {
    const { method, headers, body } = asked;
    const upstream = request(`${target}${asked.url}`, { method, headers }, (answer) => {
      if (faults.lose?.(asked, n) === true) {
        // A stream has no end to wait for.
        if (answer.headers['content-type']?.startsWith('text/event-stream') === true) response.destroy();
        else answer.on('end', () => response.destroy()).resume();
        return;
      }
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.on('data', (chunk: Buffer) => {
        const isLast = faults.cutAfter?.(chunk.toString()) === true;
        response.write(chunk, () => isLast && setImmediate(() => response.destroy()));
      });
      answer.on('end', () => response.end());
    });
    // Of a connection that was cut.
    upstream.on('error', () => response.destroy());
    response.on('close', () => upstream.destroy());
    upstream.end(body);
  });
}

/** A client that waits next to nothing between attempts. */
export function quickClient(baseUrl: string, options: Partial<SpineClientOptions> = {}): SpineClient {
  return createSpineClient({ baseUrl, backoff: { baseMs: 1, capMs: 2 }, ...options });
}
