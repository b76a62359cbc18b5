/**
 * What all buses have in common: checking, subscriptions, closing, and events that every process finds by itself.
 *
 * 1. A local source is followed while a subscription may want its events, and only then. 2. Its types are its own: nobody
 * publishes them. 3. Its events come in the same line as those of the bus: a handler gets one at a time.
 */
import { systemClock, ValidationError } from '@spine/core';
import type { Clock } from '@spine/core';
import type { Logger } from '@spine/observability';
import { EventBusUnavailableError } from './bus.ts';
import type { BusHandler, EventBus, GapReason, SubscribeOptions, Subscription } from './bus.ts';
import { toBusEvent } from './event.ts';
import type { BusEvent, NewBusEvent } from './event.ts';
import { Subscribers } from './subscribers.ts';

/** Where events of a source go. */
export interface EventSink {
  deliver(event: BusEvent): void;
  gap(reason: GapReason): void;
}

/** Events that every process can find by itself: they reach its subscribers without travelling on the bus. */
export interface LocalSource {
  /** What their types begin with, without the dot. */
  readonly prefix: string;
  /** Resolves once events come. Called again after `stop`. @throws EventBusUnavailableError */
  start(sink: EventSink): Promise<void>;
  stop(): Promise<void>;
}

export interface BusOptions {
  readonly logger: Logger;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Events that may wait for one handler. Default 10,000. */
  readonly mostWaiting?: number;
  /** Default: none. */
  readonly source?: LocalSource | undefined;
}

export abstract class BaseBus implements EventBus {
  abstract readonly backend: EventBus['backend'];
  protected readonly subscribers: Subscribers;
  readonly #clock: Clock;
  readonly #source: LocalSource | undefined;
  /** Subscriptions that may want events of the source. */
  readonly #following = new Set<string>();
  #closed = false;

  constructor({ logger, clock = systemClock, mostWaiting, source }: BusOptions) {
    this.subscribers = new Subscribers(logger, mostWaiting);
    this.#clock = clock;
    this.#source = source;
  }

  async publish(event: NewBusEvent): Promise<BusEvent> {
    const made = toBusEvent(event, this.#clock.now());
    if (made.type.split('.', 1)[0] === this.#source?.prefix) throw reserved(made.type);
    this.#checkOpen();
    await this.send(made);
    return made;
  }

  async subscribe(pattern: string, handler: BusHandler, options?: SubscribeOptions): Promise<Subscription> {
    this.#checkOpen();
    const id = this.subscribers.add(pattern, handler, options);
    try {
      await this.listen();
      await this.#follow(id, pattern);
    } catch (error) {
      this.unsubscribe(id);
      throw error;
    }
    return { id, pattern, unsubscribe: () => void this.unsubscribe(id) };
  }

  unsubscribe(id: string): boolean {
    const followed = this.#following.delete(id);
    if (followed && this.#following.size === 0) void this.#source?.stop();
    return this.subscribers.remove(id);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#following.clear();
    await this.#source?.stop();
    await this.disconnect();
    await this.subscribers.clear();
  }

  /** @throws EventBusUnavailableError */
  protected abstract send(event: BusEvent): Promise<void>;
  /** Resolves once events come in. @throws EventBusUnavailableError */
  protected abstract listen(): Promise<void>;
  protected abstract disconnect(): Promise<void>;

  async #follow(id: string, pattern: string): Promise<void> {
    const source = this.#source;
    const [first = ''] = pattern.split('.', 1);
    if (source === undefined || !['*', '**', '>', source.prefix].includes(first)) return;
    this.#following.add(id);
    await source.start(this.subscribers);
  }

  #checkOpen(): void {
    if (this.#closed) throw new EventBusUnavailableError('the event bus of this process is closed');
  }
}

function reserved(type: string): ValidationError {
  const message = `${type} is told by Spine itself; allowed: types with another first name`;
  return new ValidationError(`type: ${message}`, {
    issues: [{ field: 'type', code: 'reserved_event_type', message }],
  });
}
