/** GET /events/stream as a client on the network sees it. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { createPool } from '@spine/database';
import type { Pool } from '@spine/database';
import { waitFor } from '@spine/testing';
import { randomKey, runWithStatus, startApi } from './api-support.ts';
import type { Api, Json } from './api-support.ts';

interface Frame {
  readonly id: string | null;
  readonly event: string | null;
  readonly data: Json | null;
}

/** What a standard EventSource makes of the bytes. */
class EventSourceOf {
  readonly frames: Frame[] = [];
  lastEventId: string | null = null;
  done = false;
  readonly response: Response;
  readonly #abort: AbortController;

  static async open(api: Api, query = '', headers: Record<string, string> = {}): Promise<EventSourceOf> {
    const abort = new AbortController();
    const response = await fetch(`${api.url}/api/v1/events/stream${query}`, {
      headers,
      signal: abort.signal,
    });
    const source = new EventSourceOf(response, abort);
    if (response.status === 200) void source.#read().catch(() => undefined);
    return source;
  }

  private constructor(response: Response, abort: AbortController) {
    this.response = response;
    this.#abort = abort;
  }

  close(): void {
    this.#abort.abort();
  }

  /** Type and run of every event so far. */
  get events(): string[] {
    return this.frames.filter(({ event }) => event === null).map(({ data }) => String(data?.['event_type']));
  }

  async #read(): Promise<void> {
    const decoder = new TextDecoder();
    let text = '';
    for await (const chunk of this.response.body ?? []) {
      text += decoder.decode(chunk as Uint8Array, { stream: true });
      const blocks = text.split('\n\n');
      text = blocks.pop() ?? '';
      for (const block of blocks) this.#take(block);
    }
    this.done = true;
  }

  #take(block: string): void {
    const fields = new Map<string, string>();
    for (const line of block.split('\n')) {
      const colon = line.indexOf(':');
      if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
    }
    this.lastEventId = fields.get('id') ?? this.lastEventId;
    const data = fields.get('data');
    if (data === undefined) return;
    this.frames.push({
      id: fields.get('id') ?? null,
      event: fields.get('event') ?? null,
      data: JSON.parse(data) as Json,
    });
  }
}

let api: Api;
const sources: EventSourceOf[] = [];
beforeAll(async () => {
  api = await startApi({ events: { heartbeatMs: 100 } });
  await api.startWorker();
});
afterEach(() => {
  for (const source of sources.splice(0)) source.close();
});
afterAll(() => api.close());

async function follow(query = '', headers: Record<string, string> = {}, of = api): Promise<EventSourceOf> {
  const source = await EventSourceOf.open(of, query, headers);
  sources.push(source);
  return source;
}

async function submit(of = api): Promise<string> {
  const { body } = await of.call('POST', '/api/v1/runs', { json: { kind: 'task', name: 'echo' } });
  return String(body['data']?.['run_id']);
}

const status = async (of = api): Promise<Json> =>
  (await of.call('GET', '/api/v1/events/status')).body['data'] ?? {};

describe('a stream of events', () => {
  it('brings the history of a run as it is made, and says when it is over', async () => {
    const all = await follow();
    expect(all.response.status).toBe(200);
    expect(all.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(all.response.headers.get('cache-control')).toBe('no-store');
    expect(all.response.headers.get('x-request-id')).toBeTruthy();
    const runId = await submit();
    const one = await follow(`?run_id=${runId}&until_terminal=true`);
    await waitFor(() => one.done);
    expect(one.events).toEqual(['submitted', 'started', 'completed']);
    expect(one.frames.at(-1)).toEqual({ id: null, event: 'end', data: { reason: 'terminal' } });
    expect(one.frames[0]?.data).toMatchObject({
      run_id: runId,
      event_type: 'submitted',
      epoch: 0,
      terminal: false,
    });
    await waitFor(() => all.events.filter((type) => type === 'completed').length === 1);
    expect(all.events).toEqual(['submitted', 'started', 'completed']);

    // A browser comes back with what it was given; 204 tells it to stay away.
    await waitFor(
      () => all.lastEventId !== null && Number(all.lastEventId) >= Number(one.frames[2]?.data?.['event_id']),
    );
    const over = await follow(`?run_id=${runId}&until_terminal=true`, {
      'last-event-id': all.lastEventId ?? '',
    });
    expect(over.response.status).toBe(204);
  });

  it('goes on where a client left off, by header or by parameter', async () => {
    const first = await follow();
    const seen = await submit();
    await runWithStatus(api, seen, 'completed');
    await waitFor(() => first.events.length === 3 && first.lastEventId !== null);
    // Heartbeats move on to the horizon: nothing of this comes again.
    const newest = Math.max(...first.frames.map(({ data }) => Number(data?.['event_id'])));
    await waitFor(() => Number(first.lastEventId) >= newest);
    first.close();
    const missed = await submit();
    await runWithStatus(api, missed, 'completed');
    for (const again of [
      await follow('', { 'last-event-id': first.lastEventId ?? '' }),
      await follow(`?last_event_id=${first.lastEventId}`),
    ]) {
      await waitFor(() => again.events.length === 3);
      expect(again.frames.every(({ data }) => String(data?.['run_id']) === missed)).toBe(true);
    }
  });

  it('has only what was asked for', async () => {
    const ends = await follow('?types=completed,failed&types=cancelled');
    const slow = await follow('?lane=slow&kind=task&name=echo');
    const runId = await submit();
    await runWithStatus(api, runId, 'completed');
    const spec = { kind: 'task', name: 'echo', lane: 'slow' };
    const { body } = await api.call('POST', '/api/v1/runs', { json: spec });
    await runWithStatus(api, String(body['data']?.['run_id']), 'completed');
    await waitFor(() => ends.events.length === 2 && slow.events.length === 3);
    expect(ends.events).toEqual(['completed', 'completed']);
    expect(slow.events).toEqual(['submitted', 'started', 'completed']);
  });

  it.each([
    ['?types=Upper', 'types[0]'],
    ['?types=', 'types[0]'],
    ['?run_id=x', 'run_id'],
    ['?until_terminal=true', 'until_terminal'],
    ['?last_event_id=-1', 'last_event_id'],
    ['?lane=A', 'lane'],
    ['?since=now', 'since'],
  ])('is not opened with %s', async (query, field) => {
    const { status: code, body } = await api.call('GET', `/api/v1/events/stream${query}`);
    expect([code, body]).toMatchObject([400, { code: 'VALIDATION_FAILED', errors: [{ field }] }]);
  });

  it.each(['abc', '-1', '1.5', '999999999999999', '1e3'])('is not resumed at %s', async (id) => {
    const answer = await api.call('GET', '/api/v1/events/stream', { headers: { 'last-event-id': id } });
    expect(answer).toMatchObject({
      status: 400,
      body: { errors: [{ field: 'last-event-id', code: 'invalid_cursor' }] },
    });
  });

  it('is not there for a run that is not', async () => {
    expect((await api.call('GET', `/api/v1/events/stream?run_id=${newId()}`)).status).toBe(404);
  });

  it('tells a HEAD request what it would be, and no more', async () => {
    const answer = await api.call('HEAD', '/api/v1/events/stream');
    expect([answer.status, answer.text]).toEqual([200, '']);
    expect(answer.headers.get('content-type')).toContain('text/event-stream');
  });

  it('gives its place back when its client goes, and is counted', async () => {
    await waitFor(async () => Number((await status())['streams']) === 0);
    const source = await follow();
    expect(await status()).toMatchObject({ streams: 1, awake: true, max_streams: 500 });
    const metrics = await api.call('GET', '/metrics');
    expect(metrics.text).toMatch(/^spine_event_streams\{service="api"\} 1$/m);
    source.close();
    await waitFor(async () => Number((await status())['streams']) === 0);
    expect(await status()).toMatchObject({ awake: false, safe_event_id: null, ahead: 0 });
  });
});

describe('an API with few places', () => {
  let small: Api;
  let admin: Pool;
  const key = randomKey();
  const authorization = `Bearer ${key}`;
  beforeAll(async () => {
    small = await startApi({ keys: [key], events: { maxStreams: 1, heartbeatMs: 50, maxWaiting: 2_000 } });
    admin = createPool({ connectionString: small.database.connectionString, role: null });
  });
  afterAll(async () => {
    await admin.end();
    await small.close();
  });

  const streams = async (): Promise<number> => (await small.engine.eventStreams.status()).streams;

  it('asks for a key as it does elsewhere', async () => {
    for (const path of ['/api/v1/events/stream', '/api/v1/events/status']) {
      expect((await small.call('GET', path)).status).toBe(401);
    }
    expect(await streams()).toBe(0);
  });

  it('refuses who comes when all are taken, and takes him when one is free', async () => {
    const first = await follow('', { authorization }, small);
    expect(first.response.status).toBe(200);
    const second = await small.call('GET', '/api/v1/events/stream', { headers: { authorization } });
    expect(second).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect(second.headers.get('retry-after')).toBe('5');
    first.close();
    await waitFor(async () => (await streams()) === 0);
    const third = await follow('', { authorization }, small);
    expect(third.response.status).toBe(200);
    third.close();
    await waitFor(async () => (await streams()) === 0);
  });

  it('cuts a client off that does not read, and holds only so much for it', { timeout: 60_000 }, async () => {
    const { hostname, port } = new URL(small.url);
    let received = '';
    const socket = await new Promise<Socket>((resolve) => {
      const opened = connect(Number(port), hostname, () => resolve(opened));
    });
    socket.write(`GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: ${authorization}\r\n\r\n`);
    await waitFor(async () => (await streams()) === 1);
    socket.pause();
    const before = Number((await small.engine.eventStreams.status()).lastEventId);
    // More than sockets and the queue together hold.
    for (let round = 0; round < 6; round += 1) {
      await admin.query(
        `INSERT INTO run_events (run_id, epoch, event_type, source, data)
         SELECT gen_random_uuid(), 0, 'said', 'test', jsonb_build_object('text', repeat('x', 4000)) FROM generate_series(1, 1000)`,
      );
    }
    await waitFor(
      async () => ((await small.engine.eventStreams.status()).safeEventId ?? 0) >= before + 6_000,
      { timeoutMs: 30_000 },
    );
    socket.on('data', (chunk: Buffer) => (received += chunk.toString('latin1')));
    socket.resume();
    await waitFor(() => received.includes('event: end'), { timeoutMs: 30_000 });
    expect(received).toContain('data: {"reason":"too_slow"}');
    expect(received.split('"event_type":"said"').length).toBeLessThan(6_000);
    await waitFor(async () => (await streams()) === 0);
    socket.destroy();
  });
});

it('an API that stops ends its streams first, and does not wait for them', async () => {
  const stopping = await startApi();
  const source = await follow('', {}, stopping);
  await stopping.close();
  await waitFor(() => source.done);
  expect(source.frames.at(-1)).toEqual({ id: null, event: 'end', data: { reason: 'shutdown' } });
});
