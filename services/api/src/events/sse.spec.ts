import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Server, ServerResponse } from 'node:http';
import { connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LiveEvent } from '@spine/execution';
import { frames, send } from './sse.ts';

function event(id: number, data: unknown = null): LiveEvent {
  return new LiveEvent({
    eventId: String(id),
    runId: 'r',
    epoch: 0,
    eventType: 'said',
    terminal: false,
    timestamp: new Date(0),
    data,
    source: 's',
  });
}

describe('the frames of an item', () => {
  it('give a batch its id with the last event alone: who is cut off before that resumes before the batch', () => {
    const text = frames({ type: 'events', events: [event(7), event(5), event(9)], cursor: 4 });
    const blocks = text.split('\n\n').slice(0, -1);
    expect(blocks.map((block) => block.split('\n').map((line) => line.slice(0, line.indexOf(':'))))).toEqual([
      ['data'],
      ['data'],
      ['id', 'data'],
    ]);
    expect(blocks[2]).toContain('id: 4\ndata: {"event_id":"9"');
  });

  it('are one line of data each, whatever an event holds', () => {
    const text = frames({ type: 'events', events: [event(1, { text: 'a\n\ndata: b\r\nid: 9' })], cursor: 1 });
    expect(text.split('\n')).toHaveLength(4);
    expect(text).not.toContain('\r');
  });

  it('of a heartbeat move the cursor and tell nothing; of an end say why', () => {
    expect(frames({ type: 'heartbeat', cursor: 12 })).toBe(': heartbeat\nid: 12\n\n');
    expect(frames({ type: 'end', reason: 'too_slow' })).toBe('event: end\ndata: {"reason":"too_slow"}\n\n');
  });
});

describe('sending', () => {
  let server: Server;
  let client: Socket;
  let response: ServerResponse;
  beforeEach(async () => {
    server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const requested = once(server, 'request');
    client = connect((server.address() as AddressInfo).port, '127.0.0.1');
    client.on('error', () => undefined);
    client.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const [, given] = (await requested) as [unknown, ServerResponse];
    response = given;
  });
  afterEach(async () => {
    client.destroy();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });

  /** More than the buffers on the way hold. */
  const LOTS = 'x'.repeat(16 * 1024 * 1024);

  it('waits for a client that takes its time', async () => {
    client.pause();
    const sent = send(response, LOTS);
    client.resume();
    expect(await sent).toBe(true);
    expect(await send(response, 'more')).toBe(true);
  });

  it('gives up on one that takes too long', async () => {
    client.pause();
    expect(await send(response, LOTS, 50)).toBe(false);
  });

  it('gives up on one that is gone, before and in the middle', async () => {
    client.pause();
    const sent = send(response, LOTS);
    client.destroy();
    expect(await sent).toBe(false);
    expect(await send(response, 'more')).toBe(false);
  });
});
