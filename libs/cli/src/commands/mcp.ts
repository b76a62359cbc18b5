/** `spine mcp`: the API as tools for an assistant. */
import { LOG_LEVELS } from '@spine/config';
import { present } from '@spine/core';
import { createLogger } from '@spine/observability';
import { createSpineClient } from '@spine/sdk';
import type { HttpOptions } from '@spine/mcp';
import { addCommand, choice, option, repeatable } from '../frame/command.ts';
import type { Call, Register } from '../frame/command.ts';
import type { CliContext } from '../frame/context.ts';
import { EXIT } from '../frame/exit-codes.ts';
import type { ExitCode } from '../frame/exit-codes.ts';
import { UsageError } from '../frame/usage-error.ts';
import { version } from '../version.ts';

const DEFAULT_PORT = 3100;
/** How long requests under way may take to end, once the command is told to. */
const GRACE_MS = 5_000;
/** Of no use, or not safe, without the other. */
const OF_HTTP = ['host', 'port', 'allowedHost', 'requireKey'];

const DETAILS = `Standard output speaks the protocol; logs go to standard error. It reads only: --allow-writes adds the tools that change
something, and the scopes of the key decide in any case. With --http it listens on 127.0.0.1 and serves whoever comes without
a key with the key of this command; a client that sends a key acts with that one. Beyond loopback every client needs a key.`;

async function serveHttp(options: HttpOptions, { notices, signal }: CliContext): Promise<ExitCode> {
  const { serveHttp } = await import('@spine/mcp');
  const server = await serveHttp(options);
  notices.say(`MCP server at ${server.url}`);
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
  }
  await server.close(GRACE_MS);
  return EXIT.ok;
}

async function run({ options }: Call, context: CliContext): Promise<ExitCode> {
  const { io, signal } = context;
  const isHttp = options.flag('http');
  const stray = OF_HTTP.find(
    (name) => options.text(name) ?? options.texts(name) ?? (options.flag(name) || undefined),
  );
  if (!isHttp && stray !== undefined) {
    throw new UsageError(`--${stray.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)} needs --http`);
  }
  const { url, apiKey } = await context.target();
  const key = apiKey?.reveal() ?? null;
  const clientOf = (key: string | null) =>
    createSpineClient({
      baseUrl: url,
      apiKey: () => key,
      // Assistants give up on a tool after a minute.
      ...{ timeoutMs: 20_000, retries: 1 },
      headers: { 'user-agent': 'spine-mcp' },
    });
  const own = { client: clientOf(key), secrets: key === null ? [] : [key] };
  const level = options.choice('logLevel', LOG_LEVELS) ?? 'info';
  const shared = {
    version: version(),
    allowWrites: options.flag('allowWrites'),
    logger: createLogger({ service: 'mcp', level, destination: io.stderr }),
  };
  if (!isHttp) {
    const { serveStdio } = await import('@spine/mcp');
    if (io.stdin.isTTY === true)
      context.notices.say('waiting for an MCP client on standard input; Ctrl-C ends it');
    await serveStdio(own, { ...shared, stdin: io.stdin, stdout: io.stdout, signal });
    return EXIT.ok;
  }
  const http = present({
    host: options.text('host'),
    allowedHosts: options.texts('allowedHost'),
    requireKey: options.flag('requireKey'),
  });
  const port = options.whole('port', 0, 65_535) ?? DEFAULT_PORT;
  return serveHttp({ ...shared, ...http, port, clientOf, own }, context);
}

export const register: Register = (program, context) => {
  addCommand(program, context, {
    usage: 'mcp',
    summary: 'serve the API to an assistant as MCP tools, over standard input and output or HTTP',
    details: DETAILS,
    options: [
      option('--allow-writes', 'also tools that change something'),
      option('--http', 'serve streamable HTTP instead'),
      option('--host <address>', 'with --http: where to listen (default: 127.0.0.1)'),
      option('--port <port>', `with --http: default ${DEFAULT_PORT}; 0 for any`),
      repeatable('--allowed-host <name>', 'with --http: a name clients call this server by; may be repeated'),
      option('--require-key', 'with --http: refuse clients without a key on loopback too'),
      choice('--log-level <level>', 'of the log on standard error (default: info)', LOG_LEVELS),
    ],
    examples: [
      'mcp',
      'mcp --allow-writes',
      'mcp --http --port 3100',
      'mcp --http --host 0.0.0.0 --allowed-host mcp.example.com',
    ],
    run,
  });
};
