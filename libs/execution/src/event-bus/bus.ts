/** The event bus: word of what has happened, to whoever listens now. */
import { TransientError } from '@spine/core';
import type { BusEvent, NewBusEvent } from './event.ts';

/** Gets events one at a time, in the order they came. What it throws is logged and hurts nobody else. */
export type BusHandler = (event: BusEvent) => void | Promise<void>;

/** Why a subscriber may have missed events: the connection was lost and is back, or its handler is too slow. */
export type GapReason = 'reconnected' | 'overflow';

export interface SubscribeOptions {
  /** Events may have been missed: whoever must know everything looks at the truth now. */
  readonly onGap?: (reason: GapReason) => void;
}

export interface Subscription {
  readonly id: string;
  readonly pattern: string;
  /** No further event reaches the handler; what it works on goes on. */
  unsubscribe(): void;
}

/**
 * At most once, to those who are subscribed at that moment: a decision never hangs on an event. What must not be lost is
 * in Postgres, and a lost event is only a later look there.
 */
export interface EventBus {
  readonly backend: 'memory' | 'postgres' | 'redis';
  /**
   * Hands an event to the bus; it is on its way when the promise resolves.
   * @throws ValidationError for an event that cannot travel; EventBusUnavailableError
   */
  publish(event: NewBusEvent): Promise<BusEvent>;
  /**
   * Events published after the promise resolved reach the handler, while the connection holds.
   * @param pattern as in `typeMatcher`
   * @throws ValidationError for what is no pattern; EventBusUnavailableError
   */
  subscribe(pattern: string, handler: BusHandler, options?: SubscribeOptions): Promise<Subscription>;
  /** Whether there was such a subscription. */
  unsubscribe(id: string): boolean;
  /** Ends every subscription, waits for what handlers work on, and closes the connections. Never called by a handler. */
  close(): Promise<void>;
}

/** The bus cannot be reached now; later it may. */
export class EventBusUnavailableError extends TransientError {}

/** @param ms how long it was waited for */
export function unreachable(ms: number): EventBusUnavailableError {
  return new EventBusUnavailableError(`the event bus could not be reached within ${ms} ms`);
}
