import { BaseBus } from './base-bus.ts';
import type { BusEvent } from './event.ts';

/** Within this process. */
export class MemoryEventBus extends BaseBus {
  readonly backend = 'memory';

  protected send(event: BusEvent): Promise<void> {
    this.subscribers.deliver(event);
    return Promise.resolve();
  }

  protected listen(): Promise<void> {
    return Promise.resolve();
  }

  protected disconnect(): Promise<void> {
    return Promise.resolve();
  }
}
