/**
 * The server over streamable HTTP: each POST is served by a server of its own, which ends with the answer.
 *
 * 1. There are no sessions: nothing to fill up, to steal, or to lose when the process ends. 2. Nothing of a request is read
 * before its head was admitted (`admit`, `KeyGate`), and never more than `MAX_MESSAGE_BYTES`. 3. A request with a key acts
 * with that key. One without acts with the server's own, and only where no key is required, which is on loopback. 4. At most
 * `MAX_REQUESTS` are served at a time; others get 503. 5. Closing lets requests under way end, for so long as it was given.
 */
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { isLoopbackHost } from '@spine/config';
import { ConfigError, systemClock } from '@spine/core';
import type { SpineClient } from '@spine/sdk';
import { CallSlots } from '../call-slots.ts';
import { toToolProblem } from '../answer/problems.ts';
import { createMcpServer, shareMcp } from '../server.ts';
import type { Caller, McpOptions } from '../server.ts';
import { admit, hostName, MCP_PATH, UNAUTHENTICATED } from './admit.ts';
import type { Admission, Admitted } from './admit.ts';
import { readBody } from './body.ts';
import { KeyGate } from './key-gate.ts';

export const MAX_REQUESTS = 64;
const MAX_CONNECTIONS = 256;

export interface HttpOptions extends McpOptions {
  /** An address to listen on. Default 127.0.0.1. */
  readonly host?: string;
  /** 0 for any that is free. */
  readonly port: number;
  /** Names that clients call this server by, beside loopback ones: needed beyond loopback. */
  readonly allowedHosts?: readonly string[];
  /** Refuse requests without a key also on loopback, where other users of this machine can come in. Default false. */
  readonly requireKey?: boolean;
  /** A client of the API that acts with this key. */
  readonly clientOf: (key: string) => SpineClient;
  /** Of requests without a key. */
  readonly own: Caller;
}

export interface HttpMcp {
  /** Where clients connect to. */
  readonly url: string;
  readonly port: number;
  /** @param graceMs how long requests under way may take to end */
  close(graceMs: number): Promise<void>;
}

type Refusal = Extract<Admitted, { type: 'refused' }>;
type Served = { readonly type: 'served'; readonly caller: Caller };
interface Answered {
  readonly type: 'refused';
  readonly status: number;
  readonly message: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const OPEN_API: Refusal = {
  type: 'refused',
  status: 403,
  message: 'the API behind this server asks for no key, and so is served to loopback only',
};
const LATER = { 'retry-after': '1' };

/** What of the options holds for every request. @throws ConfigError for a host that nobody could reach it by */
function admissionOf({ host = '127.0.0.1', allowedHosts = [], requireKey = false }: HttpOptions): Admission {
  const isLocal = isLoopbackHost(host);
  const names = allowedHosts.map((each) => {
    const name = hostName(each);
    if (name === null) throw new ConfigError(`--allowed-host takes a host name, not ${JSON.stringify(each)}`);
    return name;
  });
  if (!isLocal && names.length === 0) {
    throw new ConfigError(
      `--host ${host} is not a loopback address: name with --allowed-host what clients call this server by`,
    );
  }
  return { allowedHosts: new Set(names), keyRequired: requireKey || !isLocal };
}

/** @throws ConfigError when it cannot listen there */
export async function serveHttp(options: HttpOptions): Promise<HttpMcp> {
  const { host = '127.0.0.1', port, logger, clientOf, clock = systemClock } = options;
  const admission = admissionOf(options);
  const gate = new KeyGate({ clientOf, clock });
  const shared = shareMcp(options);
  const requests = new CallSlots(MAX_REQUESTS);
  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      logger.error({ err: error }, 'mcp: a request failed');
      refuse(response, { type: 'refused', status: 500, message: 'the MCP server failed' });
    });
  });
  server.maxConnections = MAX_CONNECTIONS;
  server.headersTimeout = 10_000;
  server.requestTimeout = 30_000;

  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const admitted = admit(request, admission);
    if (admitted.type === 'refused') return refuse(response, admitted);
    const release = requests.take();
    if (release === null) {
      return refuse(response, {
        type: 'refused',
        status: 503,
        message: 'too many requests at once',
        headers: LATER,
      });
    }
    response.once('close', () => {
      release();
      // It was busy when the server closed, and would stay open until its keep-alive time is over.
      if (!server.listening) setImmediate(() => server.closeIdleConnections());
    });
    const caller = await callerOf(admitted.key, admission, gate, options);
    if (caller.type === 'refused') return refuse(response, caller);
    const body = await readBody(request);
    if (body.type === 'refused') return refuse(response, body);
    const mcp = createMcpServer(shared, caller.caller);
    response.once('close', () => void mcp.close());
    // No generator of session ids is what the transport takes for "stateless".
    const transport = new StreamableHTTPServerTransport();
    await mcp.connect(transport);
    await transport.handleRequest(request, response, body.message);
  };

  await listen(server, host, port);
  const address = server.address() as AddressInfo;
  const shown = address.family === 'IPv6' ? `[${address.address}]` : address.address;
  return {
    url: `http://${shown}:${address.port}${MCP_PATH}`,
    port: address.port,
    close: (graceMs) => close(server, graceMs),
  };
}

async function callerOf(
  key: string | null,
  { keyRequired }: Admission,
  gate: KeyGate,
  { clientOf, own, logger }: HttpOptions,
): Promise<Served | Answered> {
  if (key === null) return { type: 'served', caller: own };
  try {
    const verdict = await gate.check(key);
    if (verdict === 'wrong') return UNAUTHENTICATED;
    if (verdict === 'turned_away') {
      const message = 'too many wrong keys: try again in a minute';
      return { type: 'refused', status: 429, message, headers: { 'retry-after': '60' } };
    }
    if (verdict === 'open_api' && keyRequired) return OPEN_API;
    return { type: 'served', caller: { client: clientOf(key), secrets: [key] } };
  } catch (error) {
    const { code } = toToolProblem(error);
    logger.warn({ code }, 'mcp: the API could not be asked about a key');
    return { type: 'refused', status: 503, message: `the API does not answer (${code})`, headers: LATER };
  }
}

/** As the transport itself tells what is wrong with a request. */
function refuse(response: ServerResponse, { status, message, headers = {} }: Answered): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  // What is still to come of the request is not read.
  response.writeHead(status, { 'content-type': 'application/json', connection: 'close', ...headers });
  response.end(JSON.stringify({ jsonrpc: '2.0', error: { code: -32_000, message }, id: null }));
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) =>
      reject(new ConfigError(`cannot listen on ${host}:${port}: ${error.message}`, { cause: error })),
    );
    server.listen({ host, port, exclusive: true }, resolve);
  });
}

async function close(server: Server, graceMs: number): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  const cut = setTimeout(() => server.closeAllConnections(), graceMs);
  await closed;
  clearTimeout(cut);
}
