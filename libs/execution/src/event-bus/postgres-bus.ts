/**
 * The event bus on Postgres: LISTEN/NOTIFY, larger events in a table.
 *
 * 1. One listening connection, made with the first subscription; it reconnects for ever, and subscribers are told of the
 * gap once it listens again. 2. Events are delivered in the order of their commits, also those that have to be read from
 * the table: what comes after them waits. 3. At most 10,000 notifications wait to be read; then there is a gap.
 */
import { EVENT_BUS_CHANNEL, NotificationListener, notifyEventBus, readEventBusText } from '@spine/database';
import type { Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import { FirstConnection } from '../connect/first-connection.ts';
import { BaseBus } from './base-bus.ts';
import type { BusOptions } from './base-bus.ts';
import { EventBusUnavailableError, unreachable } from './bus.ts';
import { decodeEvent, encodeEvent } from './event.ts';
import type { BusEvent } from './event.ts';

export interface PostgresBusOptions extends BusOptions {
  readonly db: Queryable;
  /** Of the listening connection. */
  readonly connectionString: string;
  readonly applicationName: string;
  /** How long the first subscription may take. Default 10,000. */
  readonly answerMs?: number;
}

const MOST_UNREAD = 10_000;

export class PostgresEventBus extends BaseBus {
  readonly backend = 'postgres';
  readonly #db: Queryable;
  readonly #logger: Logger;
  readonly #answerMs: number;
  readonly #listener: NotificationListener;
  readonly #first = new FirstConnection(unreachable);
  readonly #unread: string[] = [];
  #reading: Promise<void> | null = null;

  constructor(options: PostgresBusOptions) {
    super(options);
    this.#db = options.db;
    this.#logger = options.logger;
    this.#answerMs = options.answerMs ?? 10_000;
    this.#listener = new NotificationListener({
      connectionString: options.connectionString,
      applicationName: options.applicationName,
      channels: [EVENT_BUS_CHANNEL],
      onNotification: (_channel, payload) => this.#take(payload ?? ''),
      onConnect: () => {
        if (this.#first.connected()) this.subscribers.gap('reconnected');
      },
      onError: (error) => this.#logger.debug({ err: error }, 'the connection of the event bus broke'),
    });
  }

  protected async send(event: BusEvent): Promise<void> {
    try {
      await notifyEventBus(this.#db, event.eventId, encodeEvent(event));
    } catch (error) {
      throw new EventBusUnavailableError('the event bus on Postgres does not answer', { cause: error });
    }
  }

  protected listen(): Promise<void> {
    this.#listener.start();
    return this.#first.wait(this.#answerMs);
  }

  protected async disconnect(): Promise<void> {
    await this.#listener.stop();
    this.#unread.length = 0;
    await this.#reading;
  }

  #take(payload: string): void {
    if (this.#unread.length >= MOST_UNREAD) this.subscribers.gap('overflow');
    else this.#unread.push(payload);
    this.#reading ??= this.#read();
  }

  async #read(): Promise<void> {
    for (;;) {
      const payload = this.#unread.shift();
      if (payload === undefined) break;
      try {
        const text = await readEventBusText(this.#db, payload);
        const event = text === null ? null : decodeEvent(text);
        if (event !== null) this.subscribers.deliver(event);
        else if (text === null) this.subscribers.gap('overflow');
      } catch (error) {
        this.#logger.warn({ err: error }, 'an event could not be read from its table');
        this.subscribers.gap('overflow');
      }
    }
    this.#reading = null;
  }
}
