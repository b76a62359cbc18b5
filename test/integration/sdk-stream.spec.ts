/** Streams of events over connections that break, stall, are refused, or come back. */
import type { ServerResponse } from 'node:http';
import { afterEach, describe, expect, it } from 'vitest';
import type { RunEvent, StreamMessage } from '@spine/sdk';
import { waitFor } from '@spine/testing';
import { problem, quickClient, scriptedServer } from './sdk-support.ts';
import type { ScriptedServer } from './sdk-support.ts';

const servers: ScriptedServer[] = [];
const script: typeof scriptedServer = async (answer) => {
  const server = await scriptedServer(answer);
  servers.push(server);
  return server;
};

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()));
});

const event = (id: string): string => JSON.stringify({ event_id: id, event_type: 'progress', data: 'é' });
const END = 'event: end\ndata: {"reason":"terminal"}\n\n';

function begin(response: ServerResponse): ServerResponse {
  return response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' });
}

/** Sends, and cuts the connection once the client has it. */
function sendAndCut(response: ServerResponse, text: string): void {
  begin(response).write(text, () => setImmediate(() => response.destroy()));
}

async function idsOf(events: AsyncIterable<RunEvent>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { event_id } of events) ids.push(event_id);
  return ids;
}

const resumedAt = (server: ScriptedServer) => server.asked.map(({ headers }) => headers['last-event-id']);

describe('a stream', () => {
  it('resumes where it was cut off, gives each event once, and ends at the end', async () => {
    const server = await script((response, n) => {
      if (n === 0) sendAndCut(response, `retry: 1\n\ndata: ${event('1')}\n\nid: 40\ndata: ${event('2')}\n\n`);
      else if (n === 1) sendAndCut(response, `data: ${event('3')}\n\n`);
      else if (n === 2) sendAndCut(response, ': heartbeat\nid: 41\n\n');
      else begin(response).end(`data: ${event('2')}\n\ndata: ${event('3')}\n\ndata: ${event('4')}\n\n${END}`);
    });
    const cursors: string[] = [];
    const stream = quickClient(server.url).events.stream(
      { run_id: 'r', until_terminal: true, types: ['progress', 'x'] },
      { onCursor: (cursor) => cursors.push(cursor) },
    );
    expect(await idsOf(stream)).toEqual(['1', '2', '3', '4']);
    expect(resumedAt(server)).toEqual([undefined, '40', '40', '41']);
    expect(cursors).toEqual(['40', '41']);
    expect(server.asked[0]?.url).toBe(
      '/api/v1/events/stream?run_id=r&until_terminal=true&types=progress%2Cx',
    );
  });

  it('is the same however its bytes are cut', async () => {
    const bytes = Buffer.from(`id: 7\r\ndata: ${event('1')}\r\n\r\nevent: later\ndata: {}\n\n${END}`);
    const server = await script(async (response) => {
      begin(response);
      for (const byte of bytes) await new Promise((sent) => response.write(Uint8Array.of(byte), sent));
      response.end();
    });
    const events: RunEvent[] = [];
    for await (const each of quickClient(server.url).events.stream({})) events.push(each);
    expect(events.map(({ data }) => data)).toEqual(['é']);
  });

  it('tells a cursor when everything before it was taken', async () => {
    const server = await script((response) =>
      begin(response).end(`data: ${event('1')}\n\nid: 9\ndata: ${event('2')}\n\n${END}`),
    );
    const seen: string[] = [];
    const stream = quickClient(server.url).events.stream(
      {},
      { lastEventId: '5', onCursor: (cursor) => seen.push(`cursor ${cursor}`) },
    );
    for await (const { event_id } of stream) seen.push(event_id);
    expect(seen).toEqual(['1', '2', 'cursor 9']);
    expect(resumedAt(server)).toEqual(['5']);
  });

  it('has what clients publish, where it is asked for', async () => {
    const published = JSON.stringify({ event_id: 'p', type: 'user.a', data: 1 });
    const server = await script((response) =>
      begin(response).end(
        `event: published\ndata: ${published}\n\nevent: gap\ndata: {"reason":"overflow"}\n\n${END}`,
      ),
    );
    const client = quickClient(server.url);
    const messages: StreamMessage[] = [];
    for await (const each of client.events.messages({})) messages.push(each);
    expect(messages).toMatchObject([
      { type: 'published', event: { type: 'user.a' } },
      { type: 'gap', reason: 'overflow' },
    ]);
    expect(await idsOf(client.events.stream({}))).toEqual([]);
  });

  it('gives up a connection that has gone silent', async () => {
    const server = await script((response, n) => {
      if (n === 0) begin(response).write('id: 3\n\n');
      else begin(response).end(END);
    });
    const stream = quickClient(server.url).events.stream({}, { idleTimeoutMs: 50 });
    expect(await idsOf(stream)).toEqual([]);
    expect(resumedAt(server)).toEqual([undefined, '3']);
  });

  it('comes back to an API that is away, and not for ever', async () => {
    const server = await script((response, n) => {
      if (n === 1) begin(response).end(`id: 1\ndata: ${event('1')}\n\n`);
      else problem(response, 503, 'UNAVAILABLE', { 'retry-after': '0' });
    });
    const seen: string[] = [];
    const following = async () => {
      const stream = quickClient(server.url).events.stream({}, { reconnects: 2 });
      for await (const { event_id } of stream) seen.push(event_id);
    };
    await expect(following()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    // One failure, the event, whose end counts as the first of three.
    expect(server.asked).toHaveLength(4);
    expect(seen).toEqual(['1']);
  });

  it('does not ask again for what will not be given', async () => {
    const server = await script((response) => problem(response, 404, 'NOT_FOUND'));
    await expect(idsOf(quickClient(server.url).events.stream({ run_id: 'r' }))).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
    expect(server.asked).toHaveLength(1);
  });

  it('is over where the API says so, and is none where it is a page', async () => {
    const server = await script((response, n) => {
      if (n === 0) response.writeHead(204).end();
      else response.writeHead(200, { 'content-type': 'text/html' }).end('<html>');
    });
    const client = quickClient(server.url);
    expect(await idsOf(client.events.stream({}))).toEqual([]);
    await expect(idsOf(client.events.stream({}))).rejects.toThrow('not with a stream of events');
  });

  it('lets go of its connection when nobody reads on, and with the signal', async () => {
    let open = 0;
    const server = await script((response) => {
      open += 1;
      response.on('close', () => (open -= 1));
      begin(response).write(`data: ${event('1')}\n\n`);
    });
    const client = quickClient(server.url);
    for await (const { event_id } of client.events.stream({})) if (event_id === '1') break;
    await waitFor(() => open === 0, { message: () => `${open} connections open` });
    const stop = new AbortController();
    const following = async () => {
      for await (const { event_id } of client.events.stream({}, { signal: stop.signal })) {
        stop.abort(new Error(`enough with ${event_id}`));
      }
    };
    await expect(following()).rejects.toThrow('enough with 1');
    await waitFor(() => open === 0, { message: () => `${open} connections open` });
    expect(server.asked).toHaveLength(2);
  });
});
