/**
 * The event bus on Redis pub/sub: one channel, which every process with subscribers follows.
 *
 * 1. Two connections, each made when it is first needed: one publishes and refuses at once while Redis is away, one
 * listens and reconnects for ever. 2. After a reconnection the channel is subscribed to again, and then subscribers are
 * told of the gap: what they look up afterwards misses nothing.
 */
import { Redis } from 'ioredis';
import type { Logger } from '@spine/observability';
import { FirstConnection } from '../connect/first-connection.ts';
import { BaseBus } from './base-bus.ts';
import type { BusOptions } from './base-bus.ts';
import { EventBusUnavailableError, unreachable } from './bus.ts';
import { decodeEvent, encodeEvent } from './event.ts';
import type { BusEvent } from './event.ts';

export interface RedisBusOptions extends BusOptions {
  readonly url: string;
  /** The channel is `<prefix>:events`. Default `spine`. */
  readonly prefix?: string;
  /** How long publishing and the first subscription may take. Default 5,000. */
  readonly answerMs?: number;
}

const COMMON = {
  connectTimeout: 5_000,
  retryStrategy: (attempt: number) => Math.min(50 * 2 ** attempt, 2_000),
  autoResubscribe: false,
};

export class RedisEventBus extends BaseBus {
  readonly backend = 'redis';
  readonly #url: string;
  readonly #channel: string;
  readonly #logger: Logger;
  readonly #answerMs: number;
  readonly #canPublish = new FirstConnection(unreachable);
  readonly #first = new FirstConnection(unreachable);
  #publisher: Redis | null = null;
  #listener: Redis | null = null;

  constructor(options: RedisBusOptions) {
    super(options);
    this.#url = options.url;
    this.#channel = `${options.prefix ?? 'spine'}:events`;
    this.#logger = options.logger;
    this.#answerMs = options.answerMs ?? 5_000;
  }

  protected async send(event: BusEvent): Promise<void> {
    this.#publisher ??= this.#open();
    try {
      await this.#firstTry(this.#publisher);
      await this.#publisher.publish(this.#channel, encodeEvent(event));
    } catch (error) {
      throw new EventBusUnavailableError('the event bus on Redis does not answer', { cause: error });
    }
  }

  protected listen(): Promise<void> {
    this.#listener ??= this.#follow();
    return this.#first.wait(this.#answerMs);
  }

  protected disconnect(): Promise<void> {
    this.#publisher?.disconnect();
    this.#listener?.disconnect();
    return Promise.resolve();
  }

  #open(): Redis {
    const client = this.#watched(
      new Redis(this.#url, {
        ...COMMON,
        enableOfflineQueue: false,
        maxRetriesPerRequest: 0,
        commandTimeout: this.#answerMs,
      }),
    );
    client.on('ready', () => this.#canPublish.connected());
    client.on('close', () => this.#canPublish.failed(new Error('the connection was not made')));
    return client;
  }

  /** The first try to connect is waited for; a lost connection is not. */
  #firstTry({ status }: Redis): Promise<void> {
    const isUnderWay = status === 'connecting' || status === 'connect';
    return isUnderWay ? this.#canPublish.wait(this.#answerMs) : Promise.resolve();
  }

  #follow(): Redis {
    const client = this.#watched(new Redis(this.#url, { ...COMMON, maxRetriesPerRequest: null }));
    client.on('message', (_channel, text) => {
      const event = decodeEvent(text);
      if (event !== null) this.subscribers.deliver(event);
    });
    client.on('ready', () => {
      client.subscribe(this.#channel).then(
        () => {
          if (this.#first.connected()) this.subscribers.gap('reconnected');
        },
        // The connection is gone again: the next one subscribes.
        (error: unknown) => this.#logger.debug({ err: error }, 'the channel of the event bus'),
      );
    });
    return client;
  }

  #watched(client: Redis): Redis {
    client.on('error', (error) => this.#logger.debug({ err: error }, 'redis connection of the event bus'));
    return client;
  }
}
