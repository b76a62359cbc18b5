/**
 * Published events within a stream of events.
 *
 * 1. They come as `event: published`, without an id: a client's cursor is of the stored events alone, and clients that know
 * nothing of published ones never see them. 2. At most 1,000 wait for a client; what does not fit, or was lost with the
 * connection of the bus, is told by `event: gap`. 3. A stream of one run, or of runs of some kind, has none: they belong to
 * no run.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { EventBusUnavailableError, toBusEventJson } from '@spine/execution';
import type { BusEvent, EventBus, GapReason, StreamItem } from '@spine/execution';
import type { StreamQuery } from './event.schemas.ts';
import { USER_EVENTS } from './publish.schemas.ts';
import { frames } from './sse.ts';

const MOST_WAITING = 1_000;
const FIRST_WAIT_MS = 500;
const RETRY_MS = 1_000;

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal, ref: false }).catch(() => undefined);
}

/** Whether a stream asked for this way has published events, and of which types; null for all. */
export function wantedTypes(query: StreamQuery): ReadonlySet<string> | null | 'none' {
  const { run_id, kind, name, lane, types } = query;
  if ([run_id, kind, name, lane].some((filter) => filter !== undefined)) return 'none';
  if (types === undefined) return null;
  const published = types.filter((type) => type.startsWith(`${USER_EVENTS}.`));
  return published.length === 0 ? 'none' : new Set(published);
}

function publishedFrame(event: BusEvent): string {
  return `event: published\ndata: ${JSON.stringify(toBusEventJson(event))}\n\n`;
}

/** What waits for one client. */
export class PublishedEvents {
  readonly #types: ReadonlySet<string> | null;
  #waiting: string[] = [];
  #gap: GapReason | null = null;
  readonly #closing = new AbortController();
  #tell: () => void = () => undefined;

  /** @param types which are wanted; null for all */
  constructor(types: ReadonlySet<string> | null) {
    this.#types = types;
  }

  /**
   * Subscribes, and goes on trying while the bus is away. Resolves when it is subscribed, and after half a second in any
   * case: stored events are followed whatever becomes of the bus.
   */
  follow(bus: EventBus): Promise<void> {
    const { signal } = this.#closing;
    return Promise.race([this.#subscribe(bus, signal), pause(FIRST_WAIT_MS, signal)]);
  }

  close(): void {
    this.#closing.abort();
  }

  /** Resolves when there is something to take. One waits at a time. */
  ready(): Promise<void> {
    if (this.#waiting.length > 0 || this.#gap !== null) return Promise.resolve();
    return new Promise((resolve) => {
      this.#tell = resolve;
    });
  }

  /** Everything that waits, as it goes over the wire. */
  take(): string {
    const text = this.#waiting.join('');
    const gap = this.#gap === null ? '' : `event: gap\ndata: ${JSON.stringify({ reason: this.#gap })}\n\n`;
    this.#waiting = [];
    this.#gap = null;
    return text + gap;
  }

  async #subscribe(bus: EventBus, signal: AbortSignal): Promise<void> {
    for (let first = true; !signal.aborted; first = false) {
      try {
        const subscription = await bus.subscribe(`${USER_EVENTS}.**`, (event) => this.#take(event), {
          onGap: (reason) => this.#miss(reason),
        });
        if (signal.aborted) subscription.unsubscribe();
        else signal.addEventListener('abort', () => subscription.unsubscribe(), { once: true });
        if (!first) this.#miss('reconnected');
        return;
      } catch (error) {
        if (!(error instanceof EventBusUnavailableError)) throw error;
        await pause(RETRY_MS, signal);
      }
    }
  }

  #take(event: BusEvent): void {
    if (this.#types !== null && !this.#types.has(event.type)) return;
    if (this.#waiting.length >= MOST_WAITING) this.#gap = 'overflow';
    else this.#waiting.push(publishedFrame(event));
    this.#tell();
  }

  #miss(reason: GapReason): void {
    this.#gap = reason;
    this.#tell();
  }
}

/** The frames of a stream's items, with published events in between as they come. Ends with the items. */
export async function* withPublished(
  items: AsyncIterable<StreamItem>,
  published: PublishedEvents | null,
): AsyncGenerator<string, void, undefined> {
  if (published === null) {
    for await (const item of items) yield frames(item);
    return;
  }
  const iterator = items[Symbol.asyncIterator]();
  const ask = (): Promise<IteratorResult<StreamItem>> => {
    const asked = iterator.next();
    // Whoever leaves while it is asked for does not hear of its failure.
    asked.catch(() => undefined);
    return asked;
  };
  let next = ask();
  try {
    for (;;) {
      const first = await Promise.race([next, published.ready()]);
      if (first === undefined) {
        yield published.take();
        continue;
      }
      if (first.done === true) return;
      yield frames(first.value);
      next = ask();
    }
  } finally {
    // Not waited for: what was asked for ends with its client.
    void iterator.return?.()?.catch(() => undefined);
  }
}
