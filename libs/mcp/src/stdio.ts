/**
 * The server on standard input and output, for a client that has started this process.
 *
 * 1. Standard output has messages of the protocol and nothing else. 2. It ends when its input ends, when nobody reads its
 * output any more, or when it is told to; calls under way are then given up. 3. A message is at most `MAX_MESSAGE_BYTES`.
 */
import type { Readable, Writable } from 'node:stream';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { createMcpServer, shareMcp } from './server.ts';
import type { Caller, McpOptions } from './server.ts';

export interface StdioOptions extends McpOptions {
  readonly stdin: Readable;
  readonly stdout: Writable;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** Resolves when it has ended. */
export async function serveStdio(caller: Caller, options: StdioOptions): Promise<void> {
  const { stdin, stdout, signal } = options;
  const mcp = createMcpServer(shareMcp(options), caller);
  const transport = new StdioServerTransport(stdin, stdout, { maxBufferSize: MAX_MESSAGE_BYTES });
  const ended = new Promise<void>((resolve) => (mcp.server.onclose = resolve));
  const end = (): void => void mcp.close();
  const endings = [
    [stdin, 'end'],
    [stdin, 'close'],
    [stdout, 'error'],
    [stdout, 'close'],
  ] as const;
  for (const [stream, event] of endings) stream.once(event, end);
  signal.addEventListener('abort', end, { once: true });
  try {
    await mcp.connect(transport);
    if (signal.aborted || stdin.destroyed || stdin.readableEnded) end();
    await ended;
  } finally {
    for (const [stream, event] of endings) stream.off(event, end);
    signal.removeEventListener('abort', end);
  }
}
