/**
 * What workers are told between two heartbeats: runs taken from them, lanes paused.
 *
 * 1. One listening connection a process, opened with the first subscriber. 2. A subscriber is told when the connection
 * was (re)made, because whatever was said before that is lost to it. 3. Nothing here decides: the fence was raised
 * before, and a heartbeat finds out in any case.
 */
import { CONTROL_CHANNEL, NotificationListener, parseControlMessage } from '@spine/database';
import type { ControlMessage } from '@spine/database';
import type { Logger } from '@spine/observability';

export interface ControlSubscriber {
  readonly onMessage: (message: ControlMessage) => void;
  /** Something may have been missed. */
  readonly onReconnect: () => void;
}

export interface ControlFeedOptions {
  readonly connectionString: string;
  readonly applicationName: string;
  readonly logger: Logger;
}

export class ControlFeed {
  readonly #subscribers = new Set<ControlSubscriber>();
  readonly #listener: NotificationListener;

  constructor({ connectionString, applicationName, logger }: ControlFeedOptions) {
    this.#listener = new NotificationListener({
      connectionString,
      applicationName,
      channels: [CONTROL_CHANNEL],
      onNotification: (_channel, payload) => this.#tell(payload),
      onConnect: () => {
        for (const subscriber of this.#subscribers) subscriber.onReconnect();
      },
      onError: (error) =>
        logger.debug({ err: error }, 'the control connection broke; heartbeats serve meanwhile'),
    });
  }

  /** Answers with what ends the subscription. */
  subscribe(subscriber: ControlSubscriber): () => void {
    this.#subscribers.add(subscriber);
    this.#listener.start();
    return () => this.#subscribers.delete(subscriber);
  }

  close(): Promise<void> {
    return this.#listener.stop();
  }

  #tell(payload: string | undefined): void {
    const message = parseControlMessage(payload);
    if (message === null) return;
    for (const subscriber of this.#subscribers) subscriber.onMessage(message);
  }
}
