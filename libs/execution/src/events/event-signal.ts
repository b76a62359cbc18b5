/**
 * Tells whoever follows events that there are new ones, over LISTEN/NOTIFY.
 *
 * 1. Sent after the commit, ten times a second at the most, and nothing where nothing was committed. 2. Nobody waits for
 * it, and a lost one costs a second: followers look by themselves.
 */
import { notifyEvents } from '@spine/database';
import type { Queryable } from '@spine/database';

const EVERY_MS = 100;

export class EventSignal {
  readonly #db: Queryable;
  #sentAt = -Infinity;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(db: Queryable) {
    this.#db = db;
  }

  /** Something was committed. */
  touch(): void {
    if (this.#timer !== null || this.#closed) return;
    const wait = this.#sentAt + EVERY_MS - performance.now();
    if (wait <= 0) {
      this.#send();
      return;
    }
    this.#timer = setTimeout(() => this.#send(), wait);
    this.#timer.unref();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #send(): void {
    this.#timer = null;
    this.#sentAt = performance.now();
    notifyEvents(this.#db).catch(() => undefined);
  }
}
