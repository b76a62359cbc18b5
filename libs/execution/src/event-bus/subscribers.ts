/**
 * The subscriptions of one process, whatever brings the events.
 *
 * 1. Each subscription has a line of its own: a handler that throws or hangs keeps nothing from the others. 2. Within a
 * line events are handled one at a time, in the order they came. 3. A line holds 10,000 events; of a longer one the newest
 * are dropped, and the subscriber is told once that there is a gap. 4. After `remove` its handler is not called any more.
 */
import { newId } from '@spine/core';
import type { Logger } from '@spine/observability';
import type { BusHandler, GapReason, SubscribeOptions } from './bus.ts';
import type { BusEvent } from './event.ts';
import { typeMatcher } from './pattern.ts';
import type { TypeMatcher } from './pattern.ts';

const MOST_WAITING = 10_000;

interface Line {
  readonly pattern: string;
  readonly wants: TypeMatcher;
  readonly handler: BusHandler;
  readonly onGap: (reason: GapReason) => void;
  readonly waiting: BusEvent[];
  overflowed: boolean;
  /** What it works on; null while it waits. */
  working: Promise<void> | null;
}

export class Subscribers {
  readonly #lines = new Map<string, Line>();
  readonly #logger: Logger;
  readonly #mostWaiting: number;

  /** @param mostWaiting events a line holds. Default 10,000. */
  constructor(logger: Logger, mostWaiting: number = MOST_WAITING) {
    this.#logger = logger;
    this.#mostWaiting = mostWaiting;
  }

  get size(): number {
    return this.#lines.size;
  }

  /** Answers with the subscription's id. @throws ValidationError for what is no pattern */
  add(pattern: string, handler: BusHandler, { onGap = () => undefined }: SubscribeOptions = {}): string {
    const id = newId();
    const wants = typeMatcher(pattern);
    this.#lines.set(id, { pattern, wants, handler, onGap, waiting: [], overflowed: false, working: null });
    return id;
  }

  /** Whether it was there. A handler may remove its own: what it works on goes on. */
  remove(id: string): boolean {
    const line = this.#lines.get(id);
    if (line === undefined) return false;
    this.#lines.delete(id);
    line.waiting.length = 0;
    return true;
  }

  deliver(event: BusEvent): void {
    for (const [id, line] of this.#lines) {
      if (!line.wants(event.type)) continue;
      if (line.waiting.length >= this.#mostWaiting) this.#overflow(line);
      else line.waiting.push(event);
      line.working ??= this.#work(id, line);
    }
  }

  /** Events may have been missed by everybody. */
  gap(reason: GapReason): void {
    for (const line of this.#lines.values()) this.#tell(line, reason);
  }

  /** Removes all, and waits for what handlers work on. Never called by a handler. */
  async clear(): Promise<void> {
    const lines = [...this.#lines.values()];
    for (const id of this.#lines.keys()) this.remove(id);
    await Promise.all(lines.map(({ working }) => working ?? Promise.resolve()));
  }

  async #work(id: string, line: Line): Promise<void> {
    // Not within the publisher's call.
    await Promise.resolve();
    for (;;) {
      const event = line.waiting.shift();
      if (event === undefined) break;
      try {
        await line.handler(event);
      } catch (error) {
        this.#logger.warn(
          { err: error, event_id: event.eventId, event_type: event.type, subscription: id },
          'a subscriber of the event bus failed',
        );
      }
    }
    line.overflowed = false;
    line.working = null;
  }

  #overflow(line: Line): void {
    if (line.overflowed) return;
    line.overflowed = true;
    this.#logger.warn(
      { pattern: line.pattern },
      'a subscriber of the event bus is too slow: events are dropped',
    );
    this.#tell(line, 'overflow');
  }

  #tell(line: Line, reason: GapReason): void {
    try {
      line.onGap(reason);
    } catch (error) {
      this.#logger.warn({ err: error }, 'a subscriber of the event bus failed');
    }
  }
}
