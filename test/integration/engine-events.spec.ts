/** Following the events of all runs: nothing is left out, however late it commits and however often a client reconnects. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { newId } from '@spine/core';
import { EVENTS_CHANNEL, eventWriters, lastEventId, NotificationListener } from '@spine/database';
import { EventSignal, EventStreams, Tail, taskSpec } from '@spine/execution';
import type { EventBatch, LiveEvent, OpenStream, StreamItem, StreamRequest } from '@spine/execution';
import { Metrics, silentLogger } from '@spine/observability';
import { waitFor } from '@spine/testing';
import { openEngineDatabase, openTransaction, runOf, store } from './engine-support.ts';
import type { EngineDatabase } from './engine-support.ts';

let base: EngineDatabase;
let streams: EventStreams;
const open: { stream: OpenStream; gone: AbortController }[] = [];

beforeAll(async () => {
  base = await openEngineDatabase();
});
beforeEach(async () => {
  await base.clear();
  streams = streamsWith();
});
afterEach(async () => {
  for (const each of open.splice(0)) {
    each.gone.abort();
    await each.stream.close();
  }
  await streams.close();
});
afterAll(() => base.close());

function streamsWith(options: Partial<ConstructorParameters<typeof EventStreams>[0]> = {}): EventStreams {
  return new EventStreams({
    connectionString: base.connectionString,
    applicationName: 'events-test',
    logger: silentLogger(),
    metrics: new Metrics('test'),
    ...options,
  });
}

const ALL: StreamRequest = { filter: {}, after: null, untilTerminal: false };

/** A client: what it has seen, and where it would resume. */
class Client {
  readonly items: StreamItem[] = [];
  cursor: number | null = null;
  #pulling: Promise<void> = Promise.resolve();

  static async open(request: Partial<StreamRequest> = {}, from = streams): Promise<Client> {
    const gone = new AbortController();
    const outcome = await from.open({ ...ALL, ...request }, gone.signal);
    if (outcome.type !== 'open') throw new Error(outcome.type);
    open.push({ stream: outcome.stream, gone });
    const client = new Client(gone, outcome.stream);
    client.#pulling = client.#pull(outcome.stream);
    return client;
  }

  private readonly gone: AbortController;
  private readonly stream: OpenStream;
  private constructor(gone: AbortController, stream: OpenStream) {
    this.gone = gone;
    this.stream = stream;
  }

  get events(): LiveEvent[] {
    return this.items.flatMap((item) => (item.type === 'events' ? item.events : []));
  }

  get ids(): number[] {
    return this.events.map(({ id }) => id);
  }

  has(id: number): Promise<boolean> {
    return waitFor(() => this.ids.includes(id), { message: () => `event ${id}; seen ${this.ids.join()}` });
  }

  async disconnect(): Promise<void> {
    this.gone.abort();
    await this.stream.close();
    await this.#pulling;
  }

  /** Resolves when the stream has ended by itself. */
  async ended(): Promise<StreamItem | undefined> {
    await this.#pulling;
    return this.items.at(-1);
  }

  async #pull({ items }: OpenStream): Promise<void> {
    for await (const item of items) {
      this.items.push(item);
      if (item.type === 'events') this.cursor = item.cursor;
    }
  }
}

async function write(
  db: { query: (text: string, values: unknown[]) => Promise<{ rows: { event_id: number }[] }> },
  more: { runId?: string | undefined; type?: string; terminal?: boolean } = {},
): Promise<number> {
  const { rows } = await db.query(
    `INSERT INTO run_events (run_id, epoch, event_type, source, terminal) VALUES ($1, 0, $2, 'test', $3) RETURNING event_id`,
    [more.runId ?? newId(), more.type ?? 'said', more.terminal ?? false],
  );
  return rows[0]?.event_id ?? -1;
}

describe('an event that commits after a later one', () => {
  it('comes when it commits, and comes to who reconnects: the cursor waits for it', async () => {
    const client = await Client.open();
    const late = await openTransaction(base.admin);
    const early = await write(late.client);
    const later = await write(base.admin);
    expect(later).toBeGreaterThan(early);
    await client.has(later);
    expect(client.ids).not.toContain(early);
    // Who resumes after the last id seen would never get the one that commits now.
    expect(client.cursor).toBeLessThan(early);
    await client.disconnect();

    await late.end('COMMIT');
    const again = await Client.open({ after: client.cursor });
    await again.has(early);
    await again.has(later);

    const other = await openTransaction(base.admin);
    const third = await write(other.client);
    const fourth = await write(base.admin);
    await again.has(fourth);
    await other.end('COMMIT');
    await again.has(third);
    expect(again.ids.filter((id) => id === third || id === fourth)).toEqual([fourth, third]);
    // Both are behind the horizon once a look has found that nobody writes.
    const fifth = await write(base.admin);
    await again.has(fifth);
    await waitFor(async () => ((await streams.status()).safeEventId ?? 0) >= fifth);
  });

  it('is waited for from the moment its transaction could take an id, before it has written anything', async () => {
    const client = await Client.open();
    const slow = await openTransaction(base.admin);
    // What an insert does first. The id of the transaction itself comes only with the row.
    await slow.client.query('LOCK TABLE run_events IN ROW EXCLUSIVE MODE');
    const { rows } = await slow.client.query<{ id: number }>(
      `SELECT nextval('run_events_event_id_seq') AS id`,
    );
    const early = rows[0]?.id ?? -1;
    await client.has(await write(base.admin));
    expect(await eventWriters(base.admin)).toHaveLength(1);
    expect(client.cursor).toBeLessThan(early);
    await slow.client.query(
      `INSERT INTO run_events (event_id, run_id, epoch, event_type, source) OVERRIDING SYSTEM VALUE
       VALUES ($1, gen_random_uuid(), 0, 'said', 'test')`,
      [early],
    );
    await slow.end('COMMIT');
    await client.has(early);
    expect(await eventWriters(base.admin)).toEqual([]);
  });

  it('is not waited for when its transaction only reads', async () => {
    const reader = await openTransaction(base.admin);
    await reader.client.query('SELECT count(*) FROM run_events');
    expect(await eventWriters(base.admin)).toEqual([]);
    await reader.end('ROLLBACK');
  });

  it('that rolls back keeps nobody waiting', async () => {
    const client = await Client.open();
    const failed = await openTransaction(base.admin);
    const lost = await write(failed.client);
    const kept = await write(base.admin);
    await client.has(kept);
    await failed.end('ROLLBACK');
    await waitFor(async () => ((await streams.status()).safeEventId ?? 0) >= kept);
    expect(client.ids).not.toContain(lost);
  });
});

describe('a storm of transactions that commit in any order', () => {
  const RECONNECTS = 10;

  it('reaches a client that reconnects all the time, every event of it', { timeout: 60_000 }, async () => {
    let cursor = await lastEventId(base.admin);
    let storming = true;
    const writers = Array.from({ length: 5 }, async (_, writer) => {
      for (let round = 0; storming; round += 1) {
        const trx = await openTransaction(base.admin);
        for (let each = 0; each <= (writer + round) % 4; each += 1) await write(trx.client);
        await sleep((writer * 7 + round * 13) % 40);
        await trx.end((writer + round) % 9 === 0 ? 'ROLLBACK' : 'COMMIT');
      }
    });
    const received = new Set<number>();
    // What a client would never have got that resumes after the largest id it has seen.
    const skippedByTheNaive = new Set<number>();
    let largest = 0;
    for (let connection = 0; connection < RECONNECTS; connection += 1) {
      const client = await Client.open({ after: cursor });
      // One that outlives the connection.
      const late = await openTransaction(base.admin);
      const early = await write(late.client);
      await waitFor(() => client.ids.some((id) => id > early));
      await client.disconnect();
      await late.end('COMMIT');
      for (const id of client.ids) {
        if (id < largest && !received.has(id)) skippedByTheNaive.add(id);
        received.add(id);
      }
      largest = Math.max(largest, ...client.ids);
      cursor = client.cursor ?? cursor;
    }
    storming = false;
    await Promise.all(writers);
    const { rows } = await base.admin.query<{ event_id: number }>('SELECT event_id FROM run_events');
    const last = await Client.open({ after: cursor });
    const missing = (): number[] => {
      const seen = new Set([...received, ...last.ids]);
      return rows.map(({ event_id }) => event_id).filter((id) => !seen.has(id));
    };
    await waitFor(() => missing().length === 0, { message: () => `events ${missing().join()}` });
    // The last late one came with the last connection.
    expect(skippedByTheNaive.size).toBeGreaterThanOrEqual(RECONNECTS - 1);
    // It is the reconnects that repeat; one connection never does.
    expect(new Set(last.ids).size).toBe(last.ids.length);
  });
});

describe('a tail', () => {
  it('remembers no more than it may, and goes on when the transaction that held it up is over', async () => {
    const passedOn: EventBatch[] = [];
    const tail = new Tail(base.pool, (batch) => passedOn.push(batch), { maxAhead: 10 });
    const ids = (): number[] => passedOn.flatMap(({ events }) => events.map(({ id }) => id));
    while (tail.safe === null) await tail.look();
    const held = await openTransaction(base.admin);
    const first = await write(held.client);
    const others: number[] = [];
    for (let index = 0; index < 5_000; index += 2_500) {
      const { rows } = await base.admin.query<{ event_id: number }>(
        `INSERT INTO run_events (run_id, epoch, event_type, source) SELECT gen_random_uuid(), 0, 'said', 'test'
         FROM generate_series(1, 2500) RETURNING event_id`,
      );
      others.push(...rows.map(({ event_id }) => event_id));
    }
    for (let looks = 0; looks < 5; looks += 1) await tail.look();
    expect(tail.ahead.length).toBeLessThan(2_500);
    expect(ids().length).toBeLessThan(2_500);
    expect(passedOn.every(({ cursor }) => cursor < first)).toBe(true);
    await held.end('COMMIT');
    while ((tail.safe ?? 0) < (others.at(-1) ?? 0)) await tail.look();
    expect(ids().sort((a, b) => a - b)).toEqual([first, ...others]);
    expect(tail.ahead).toEqual([]);
  });
});

describe('a client', () => {
  const runWithHistory = async (types: readonly string[]): Promise<string> => {
    const runId = newId();
    for (const type of types) await write(base.admin, { runId, type, terminal: type === 'completed' });
    return runId;
  };

  it('that resumes gets what it has missed, over any number of pages, in order', async () => {
    const { rows } = await base.admin.query<{ event_id: number }>(
      `INSERT INTO run_events (run_id, epoch, event_type, source) SELECT gen_random_uuid(), 0, 'said', 'test'
       FROM generate_series(1, 5000) RETURNING event_id`,
    );
    const all = rows.map(({ event_id }) => event_id);
    const client = await Client.open({ after: all[9] ?? 0 });
    await client.has(all.at(-1) ?? -1);
    expect(client.ids).toEqual(all.slice(10));
    const live = await write(base.admin);
    await client.has(live);
    expect(client.ids).toEqual([...all.slice(10), live]);
  });

  it('gets what it asked for: a run, types, what the run is', async () => {
    const [echo, sleeper] = await store(base.pool, [
      runOf(taskSpec('echo', {}, { lane: 'slow' })),
      runOf(taskSpec('sleep', { seconds: 1 })),
    ]);
    const of = (request: Partial<StreamRequest>) => Client.open({ after: 0, ...request });
    const byRun = await of({ filter: { runId: echo ?? '' } });
    const byType = await of({ filter: { types: new Set(['progress']) } });
    const byName = await of({ filter: { kind: 'task', name: 'sleep' } });
    const byLane = await of({ filter: { lane: 'slow', types: new Set(['submitted', 'progress']) } });
    await write(base.admin, { runId: echo, type: 'progress' });
    await write(base.admin, { runId: sleeper, type: 'started' });
    const last = await write(base.admin, { runId: echo, type: 'odd' });
    const rest = await write(base.admin, { runId: sleeper, type: 'progress' });
    await byRun.has(last);
    await byType.has(rest);
    await byName.has(rest);
    const seen = (client: Client) =>
      client.events.map(({ event }) => [event.runId === echo ? 'echo' : 'sleep', event.eventType]);
    expect(seen(byRun)).toEqual([
      ['echo', 'submitted'],
      ['echo', 'progress'],
      ['echo', 'odd'],
    ]);
    expect(seen(byType)).toEqual([
      ['echo', 'progress'],
      ['sleep', 'progress'],
    ]);
    expect(seen(byName)).toEqual([
      ['sleep', 'submitted'],
      ['sleep', 'started'],
      ['sleep', 'progress'],
    ]);
    await waitFor(() => seen(byLane).length === 2);
    expect(seen(byLane)).toEqual([
      ['echo', 'submitted'],
      ['echo', 'progress'],
    ]);
  });

  it('that follows a run to its end is let go with the terminal event, whether it comes or has been', async () => {
    const runId = await runWithHistory(['submitted', 'started']);
    const follow = (after: number) => Client.open({ filter: { runId }, after, untilTerminal: true });
    const waiting = await follow(0);
    const done = await write(base.admin, { runId, type: 'completed', terminal: true });
    expect(await waiting.ended()).toEqual({ type: 'end', reason: 'terminal' });
    expect(waiting.events.map(({ event }) => event.eventType)).toEqual(['submitted', 'started', 'completed']);

    const late = await follow(0);
    expect(await late.ended()).toEqual({ type: 'end', reason: 'terminal' });
    expect(late.ids).toEqual(waiting.ids);
    const request = { filter: { runId }, after: done, untilTerminal: true };
    expect(await streams.open(request, new AbortController().signal)).toEqual({ type: 'over' });
    const typed = await Client.open({
      filter: { runId, types: new Set(['started']) },
      after: 0,
      untilTerminal: true,
    });
    expect(await typed.ended()).toEqual({ type: 'end', reason: 'terminal' });
    expect(typed.events.map(({ event }) => event.eventType)).toEqual(['started']);
  });

  it('that does not keep up is cut off, with a word, and can resume', async () => {
    const few = streamsWith({ maxWaiting: 10 });
    const gone = new AbortController();
    const outcome = await few.open(ALL, gone.signal);
    if (outcome.type !== 'open') throw new Error(outcome.type);
    // Pulls once and then not again.
    const items = outcome.stream.items[Symbol.asyncIterator]();
    const first = items.next();
    const seen = await write(base.admin);
    expect(await first).toMatchObject({ value: { type: 'events', events: [{ id: seen }] } });
    const before = await lastEventId(base.admin);
    await base.admin.query(
      `INSERT INTO run_events (run_id, epoch, event_type, source) SELECT gen_random_uuid(), 0, 'said', 'test'
       FROM generate_series(1, 50)`,
    );
    await waitFor(async () => ((await few.status()).safeEventId ?? 0) >= before + 50);
    expect(await items.next()).toEqual({ value: { type: 'end', reason: 'too_slow' }, done: false });
    expect(await items.next()).toMatchObject({ done: true });
    await outcome.stream.close();
    await few.close();
    const again = await Client.open({ after: before });
    await again.has(before + 50);
    expect(again.ids).toHaveLength(50);
  });

  it('that hears nothing gets heartbeats, which move its cursor', async () => {
    const beating = streamsWith({ heartbeatMs: 20 });
    const client = await Client.open({ filter: { types: new Set(['never']) } }, beating);
    const id = await write(base.admin);
    await waitFor(() => client.items.some((item) => item.type === 'heartbeat' && item.cursor >= id));
    expect(client.ids).toEqual([]);
    await client.disconnect();
    await beating.close();
  });

  it('is told when the process stops', async () => {
    const stopping = streamsWith();
    const client = await Client.open({}, stopping);
    await write(base.admin);
    stopping.endAll();
    expect(await client.ended()).toEqual({ type: 'end', reason: 'shutdown' });
    await client.disconnect();
    await stopping.close();
  });

  it('is refused with a cursor nobody has given out, for a run nobody has submitted, and when there are too many', async () => {
    const signal = new AbortController().signal;
    const last = await lastEventId(base.admin);
    expect(await streams.open({ ...ALL, after: last + 1 }, signal)).toEqual({ type: 'unknown_cursor' });
    expect(await streams.open({ ...ALL, filter: { runId: newId() } }, signal)).toEqual({
      type: 'run_not_found',
    });
    const one = streamsWith({ maxStreams: 1 });
    const client = await Client.open({}, one);
    expect(await one.open(ALL, signal)).toEqual({ type: 'too_many', maxStreams: 1 });
    await client.disconnect();
    await (await Client.open({}, one)).disconnect();
    expect((await one.status()).streams).toBe(0);
    await one.close();
  });

  it('that is a million events behind is told so, unless it follows one run', async () => {
    const runId = await runWithHistory(['submitted']);
    await base.admin.query(
      `SELECT setval('run_events_event_id_seq', (SELECT max(event_id) FROM run_events) + 1000001)`,
    );
    const signal = new AbortController().signal;
    expect(await streams.open({ ...ALL, after: 0 }, signal)).toEqual({ type: 'too_far_behind' });
    const client = await Client.open({ filter: { runId }, after: 0 });
    await waitFor(() => client.ids.length === 1);
  });
});

describe('while nobody follows', () => {
  const connections = async (): Promise<string[]> => {
    const { rows } = await base.admin.query<{ query: string }>(
      `SELECT query FROM pg_stat_activity WHERE application_name = 'events-test' AND datname = current_database()`,
    );
    return rows.map(({ query }) => query);
  };

  it('nothing listens and nothing is read; the next one wakes it', async () => {
    const client = await Client.open();
    await waitFor(async () => (await connections()).some((query) => query.startsWith('LISTEN')));
    expect(await streams.status()).toMatchObject({ awake: true, streams: 1 });
    await client.disconnect();
    expect(await streams.status()).toMatchObject({ awake: false, streams: 0, safeEventId: null, ahead: 0 });
    await waitFor(async () => !(await connections()).some((query) => query.startsWith('LISTEN')));
    const again = await Client.open();
    await again.has(await write(base.admin));
  });

  it('a transaction that stays open lets a first follower wait, and not for ever', async () => {
    const writer = await openTransaction(base.admin);
    await write(writer.client);
    const hasty = streamsWith({ wakeMs: 300 });
    await expect(hasty.open(ALL, new AbortController().signal)).rejects.toMatchObject({ retryable: true });
    expect(await hasty.status()).toMatchObject({ streams: 0, awake: false });
    await writer.end('COMMIT');
    await (await Client.open({}, hasty)).disconnect();
    await hasty.close();
  });
});

describe('word of new events', () => {
  it('is sent at most a few times for any number of commits, comes after them, and wakes who follows', async () => {
    let told = 0;
    const connected = new Promise<NotificationListener>((resolve) => {
      const listener: NotificationListener = new NotificationListener({
        connectionString: base.connectionString,
        channels: [EVENTS_CHANNEL],
        applicationName: 'listener-test',
        onNotification: () => (told += 1),
        onConnect: () => resolve(listener),
      });
      listener.start();
    });
    const listener = await connected;
    const signal = new EventSignal(base.pool);
    for (let index = 0; index < 1_000; index += 1) signal.touch();
    await waitFor(() => told === 2);
    signal.close();
    signal.touch();
    await base.admin.query(`SELECT pg_notify('${EVENTS_CHANNEL}', '')`);
    await waitFor(() => told === 3);
    await listener.stop();
  });

  it('brings an event at once where the poll would take an hour', async () => {
    const told = streamsWith({ pollMs: 3_600_000 });
    const client = await Client.open({}, told);
    // The connection that listens is made after the first look.
    await waitFor(async () => {
      const { rows } = await base.admin.query(
        `SELECT 1 FROM pg_stat_activity WHERE application_name = 'events-test' AND query LIKE 'LISTEN%' AND datname = current_database()`,
      );
      return rows.length > 0;
    });
    const signal = new EventSignal(base.pool);
    const id = await write(base.admin);
    signal.touch();
    await client.has(id);
    signal.close();
    await client.disconnect();
    await told.close();
  });
});
