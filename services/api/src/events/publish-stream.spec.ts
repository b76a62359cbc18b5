import { describe, expect, it } from 'vitest';
import { MemoryEventBus } from '@spine/execution';
import type { StreamItem } from '@spine/execution';
import { silentLogger } from '@spine/observability';
import { streamQuery } from './event.schemas.ts';
import { PublishedEvents, wantedTypes, withPublished } from './publish-stream.ts';

const bus = new MemoryEventBus({ logger: silentLogger() });
const publish = (type: string, data: string) => bus.publish({ type, source: 'test', data });

/** Items that come when they are told to. */
class Items implements AsyncIterable<StreamItem> {
  returned = false;
  readonly #items: StreamItem[] = [];
  #tell: () => void = () => undefined;

  push(item: StreamItem): void {
    this.#items.push(item);
    this.#tell();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<StreamItem, void, undefined> {
    try {
      for (;;) {
        const item = this.#items.shift();
        if (item === undefined) await new Promise<void>((resolve) => (this.#tell = resolve));
        else {
          yield item;
          if (item.type === 'end') return;
        }
      }
    } finally {
      this.returned = true;
    }
  }
}

const wanted = (query: Record<string, unknown>) => wantedTypes(streamQuery.parse(query));

describe('published events', () => {
  it('belong to streams that ask for no run, by their types', () => {
    expect(wanted({})).toBeNull();
    expect(wanted({ types: 'user.a,run.x,user.b' })).toEqual(new Set(['user.a', 'user.b']));
    expect(wanted({ types: 'completed' })).toBe('none');
    expect(wanted({ run_id: '01912345-6789-7abc-8def-0123456789ab' })).toBe('none');
    expect(wanted({ lane: 'slow' })).toBe('none');
    expect(wanted({ kind: 'task', types: 'user.a' })).toBe('none');
  });

  it('come between the items of a stream, which ends as before', async () => {
    const items = new Items();
    const published = new PublishedEvents(null);
    await published.follow(bus);
    const stream = withPublished(items, published);
    await publish('user.a', 'first');
    expect((await stream.next()).value).toMatch(
      /^event: published\ndata: \{"event_id":.*"data":"first"\}\n\n$/,
    );
    items.push({ type: 'heartbeat', cursor: 7 });
    expect((await stream.next()).value).toBe(': heartbeat\nid: 7\n\n');
    const waiting = stream.next();
    await publish('user.a', 'second');
    expect((await waiting).value).toContain('second');
    items.push({ type: 'end', reason: 'shutdown' });
    expect((await stream.next()).value).toContain('event: end');
    expect(await stream.next()).toEqual({ done: true, value: undefined });
    published.close();
  });

  it('are none for a stream that wants none, and only those of its types for another', async () => {
    const items = new Items();
    items.push({ type: 'end', reason: 'terminal' });
    const texts: string[] = [];
    for await (const text of withPublished(items, null)) texts.push(text);
    expect(texts).toEqual(['event: end\ndata: {"reason":"terminal"}\n\n']);
    const published = new PublishedEvents(new Set(['user.b']));
    await published.follow(bus);
    await publish('user.a', 'no');
    await publish('user.b', 'yes');
    await published.ready();
    const text = published.take();
    expect(text).toContain('yes');
    expect(text).not.toContain('no"');
    published.close();
  });

  it('of a client that leaves are forgotten', async () => {
    const items = new Items();
    const published = new PublishedEvents(null);
    await published.follow(bus);
    const stream = withPublished(items, published);
    await publish('user.a', 'x');
    await stream.next();
    await stream.return();
    published.close();
    items.push({ type: 'heartbeat', cursor: 1 });
    await new Promise((resolve) => setImmediate(resolve));
    expect(items.returned).toBe(true);
    await publish('user.a', 'late');
    await new Promise((resolve) => setImmediate(resolve));
    expect(published.take()).toBe('');
  });

  it('that do not fit are told as a gap', async () => {
    const published = new PublishedEvents(null);
    await published.follow(bus);
    for (let n = 0; n < 1_001; n += 1) await publish('user.a', 'x');
    await new Promise((resolve) => setImmediate(resolve));
    const text = published.take();
    expect(text.split('event: published').length - 1).toBe(1_000);
    expect(text.endsWith('event: gap\ndata: {"reason":"overflow"}\n\n')).toBe(true);
    expect(published.take()).toBe('');
    published.close();
  });
});
