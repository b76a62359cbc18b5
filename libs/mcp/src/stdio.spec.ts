import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '@spine/observability';
import { createSpineClient } from '@spine/sdk';
import { MAX_MESSAGE_BYTES } from './limits.ts';
import { serveStdio } from './stdio.ts';

/** A server on streams of this process; its API is never asked. */
function serve() {
  const [stdin, stdout, stop] = [new PassThrough(), new PassThrough(), new AbortController()];
  const client = createSpineClient({ baseUrl: 'http://nowhere.test' });
  const options = { version: '1', logger: silentLogger(), stdin, stdout, signal: stop.signal };
  return { stdin, stdout, stop, ended: serveStdio({ client, secrets: [] }, options) };
}

describe('serveStdio', () => {
  it('answers messages and nothing else, a line each', async () => {
    const { stdin, stdout, ended } = serve();
    stdin.write('not a message\n{"jsonrpc":"2.0","id":7,"method":"ping"}\n');
    const [answer] = (await once(stdout, 'data')) as [Buffer];
    expect(answer.toString()).toBe('{"result":{},"jsonrpc":"2.0","id":7}\n');
    stdin.end();
    await ended;
    expect(stdout.read()).toBeNull();
  });

  it.each<[string, (served: ReturnType<typeof serve>) => void]>([
    ['it is told to', ({ stop }) => stop.abort()],
    ['its input ends', ({ stdin }) => stdin.end()],
    ['its input is cut off', ({ stdin }) => stdin.destroy()],
    ['nobody reads its output', ({ stdout }) => stdout.destroy(new Error('EPIPE'))],
    ['a message is too long', ({ stdin }) => stdin.write('x'.repeat(MAX_MESSAGE_BYTES + 1))],
  ])('ends when %s', async (_, happens) => {
    const served = serve();
    happens(served);
    await served.ended;
  });
});
