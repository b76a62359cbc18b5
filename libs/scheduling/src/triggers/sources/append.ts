/**
 * Storing what comes over a channel that does not remember.
 *
 * 1. Messages are stored one after another, in the order they came.
 * 2. They have no id of their own, so only one process may store them: the one that holds the lease, asked in the
 *    transaction that stores. What another one hears is stored by its owner.
 * 3. What waits is bounded; beyond that messages are lost, and that is said.
 */
import { randomUUID } from 'node:crypto';
import { parseStrictJson, toStorableText } from '@spine/core';
import { appendInboundEvents, asQueryable } from '@spine/database';
import type { EventSource, NewInboundEvent } from '@spine/database';
import type { Logger } from '@spine/observability';
import { LockLostError } from '../../locks/lock-manager.ts';
import type { LockManager, ServiceLease } from '../../locks/lock-manager.ts';

export interface ChannelOptions {
  readonly locks: LockManager;
  /** Of the process that listens. */
  readonly lease: ServiceLease;
  readonly logger: Logger;
}

const MAX_BYTES = 1024 * 1024;
const MAX_WAITING = 10_000;
const EVENT_ID = /^[\x21-\x7e]{1,200}$/;
const EVENT_TYPE = /^[\w.:-]{1,100}$/;

export class MessageLine {
  readonly #options: ChannelOptions;
  readonly #source: EventSource;
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();

  constructor(source: EventSource, options: ChannelOptions) {
    this.#source = source;
    this.#options = options;
  }

  /** Stores a message when its turn comes. */
  push(channel: string, message: string): void {
    const { logger } = this.#options;
    const bytes = Buffer.byteLength(message);
    if (bytes > MAX_BYTES || this.#waiting >= MAX_WAITING) {
      const why = bytes > MAX_BYTES ? 'is too large to be an event' : 'came faster than it could be stored';
      logger.warn({ source: this.#source, channel, bytes }, `a message ${why}; it is lost`);
      return;
    }
    this.#waiting += 1;
    this.#last = this.#last.then(async () => {
      this.#waiting -= 1;
      await this.#store(channel, message);
    });
  }

  /** Resolves when nothing waits. */
  drain(): Promise<void> {
    return this.#last;
  }

  async #store(channel: string, message: string): Promise<void> {
    const { locks, lease, logger } = this.#options;
    const lock = lease.held;
    if (lock === null) return;
    try {
      const event = eventOf(this.#source, channel, message);
      await locks.fenced(lock, (trx) => appendInboundEvents(asQueryable(trx), [event]));
    } catch (error) {
      if (error instanceof LockLostError) return;
      logger.error(
        { err: error, source: this.#source, channel },
        'a message could not be stored; it is lost',
      );
    }
  }
}

/** An `id` in the message makes it one event however often it is sent. */
function eventOf(source: EventSource, channel: string, message: string): NewInboundEvent {
  const parsed = parseStrictJson(message);
  // Text that is not JSON is data too.
  const data = parsed.isOk() ? parsed.value : { text: toStorableText(message) };
  const fields = typeof data === 'object' && data !== null && !Array.isArray(data) ? data : {};
  const { id, type } = fields as { readonly id?: unknown; readonly type?: unknown };
  return {
    source,
    channel,
    eventId: typeof id === 'string' && EVENT_ID.test(id) ? id : randomUUID(),
    eventType: typeof type === 'string' && EVENT_TYPE.test(type) ? type : source,
    data: JSON.stringify(data),
  };
}
