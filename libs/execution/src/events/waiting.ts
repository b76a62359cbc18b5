/** Batches that wait for a client, bounded. What does not fit is not kept: the client has to resume. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { EventBatch } from './live-event.ts';

/** Characters of JSON that may wait. */
const MAX_SIZE = 16 * 1024 * 1024;

export class WaitingBatches {
  readonly #maxEvents: number;
  #batches: EventBatch[] = [];
  #events = 0;
  #size = 0;
  #cursor: number;
  #overfull = false;
  #tell: () => void = () => undefined;

  /** @param cursor where the client resumes as long as nothing has come. */
  constructor(maxEvents: number, cursor: number) {
    this.#maxEvents = maxEvents;
    this.#cursor = cursor;
  }

  /** Where to resume once everything that waits was seen. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Something did not fit. */
  get isOverfull(): boolean {
    return this.#overfull;
  }

  put({ events, cursor }: EventBatch): void {
    if (this.#overfull) return;
    this.#cursor = Math.max(this.#cursor, cursor);
    if (events.length === 0) {
      // The horizon moved over what waits last.
      const last = this.#batches.pop();
      if (last !== undefined) this.#batches.push({ ...last, cursor: this.#cursor });
      return;
    }
    this.#events += events.length;
    for (const { json } of events) this.#size += json.length;
    if (this.#events > this.#maxEvents || this.#size > MAX_SIZE) {
      this.#overfull = true;
      this.#batches = [];
    } else {
      this.#batches.push({ events, cursor: this.#cursor });
    }
    this.#tell();
  }

  /** The batch that waits longest, or null. */
  take(): EventBatch | null {
    const batch = this.#batches.shift();
    if (batch === undefined) return null;
    this.#events -= batch.events.length;
    for (const { json } of batch.events) this.#size -= json.length;
    return batch;
  }

  /** Waits until something has come, at most `ms`; false when nothing has. */
  async comes(ms: number, signal: AbortSignal): Promise<boolean> {
    const over = new AbortController();
    const came = new Promise<boolean>((resolve) => {
      this.#tell = () => resolve(true);
    });
    const late = sleep(ms, false, { signal: AbortSignal.any([signal, over.signal]) }).catch(() => false);
    try {
      return await Promise.race([came, late]);
    } finally {
      over.abort();
      this.#tell = () => undefined;
    }
  }
}
