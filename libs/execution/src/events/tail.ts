/**
 * Reading the end of the history of all runs.
 *
 * 1. An event is passed on when it becomes visible, once, whatever its id: what was passed on beyond the horizon is
 * remembered. 2. The cursor of a batch is the horizon: whoever resumes there may see events again and misses none, however
 * late they commit. 3. What is remembered is bounded: while a transaction keeps the horizon from moving, reading stops at
 * that bound, and goes on when the transaction is over.
 */
import { eventsBetween, eventWriters, lastEventId } from '@spine/database';
import type { Queryable } from '@spine/database';
import { EventHorizon } from './horizon.ts';
import { LiveEvent } from './live-event.ts';
import type { EventBatch } from './live-event.ts';

export interface TailLimits {
  /** Events remembered beyond the horizon. Default 20,000. */
  readonly maxAhead?: number;
  /** Characters of their JSON. Default 32 Mi. */
  readonly maxAheadSize?: number;
}

/** What a look found out about the next one. */
export type Next =
  /** There is more to read now. */
  | 'now'
  /** Something is about to commit. */
  | 'soon'
  | 'idle';

/** Ids one statement reads. */
const SPAN = 2_000;

export class Tail {
  readonly #db: Queryable;
  readonly #passOn: (batch: EventBatch) => void;
  readonly #maxAhead: number;
  readonly #maxAheadSize: number;
  readonly #horizon = new EventHorizon();
  readonly #ahead = new Map<number, LiveEvent>();
  #aheadSize = 0;
  #safe: number | null = null;

  constructor(db: Queryable, passOn: (batch: EventBatch) => void, limits: TailLimits = {}) {
    this.#db = db;
    this.#passOn = passOn;
    this.#maxAhead = limits.maxAhead ?? 20_000;
    this.#maxAheadSize = limits.maxAheadSize ?? 32 * 1024 * 1024;
  }

  /** Everything up to here was passed on, or was there before the first look; null until that is known. */
  get safe(): number | null {
    return this.#safe;
  }

  /** What was passed on beyond {@link safe}. */
  get ahead(): readonly LiveEvent[] {
    return [...this.#ahead.values()];
  }

  /** Passes on what has become visible. @throws what the database throws; nothing is lost by that. */
  async look(): Promise<Next> {
    const last = await lastEventId(this.#db);
    if (this.#safe !== null && this.#safe >= last) return 'idle';
    if (!this.#horizon.covers(last)) this.#horizon.look(last, await eventWriters(this.#db));
    const settled = this.#horizon.settled;
    if (settled === null) return 'soon';
    if (this.#safe === null) {
      this.#safe = settled;
      return 'now';
    }
    if (this.#isFull && settled <= this.#safe) return 'idle';
    await this.#read(this.#safe, last, settled);
    if (this.#safe < settled) return 'now';
    // A long wait for a commit is not read through again and again.
    return this.#safe >= last || this.#ahead.size > SPAN ? 'idle' : 'soon';
  }

  get #isFull(): boolean {
    return this.#ahead.size >= this.#maxAhead || this.#aheadSize >= this.#maxAheadSize;
  }

  /** `settled` was known before: whatever of it is not visible now never will be. */
  async #read(safe: number, last: number, settled: number): Promise<void> {
    for (let from = safe; from < last; from += SPAN) {
      const until = Math.min(from + SPAN, last);
      const events = (await eventsBetween(this.#db, from, until))
        .filter((event) => !this.#ahead.has(Number(event.eventId)))
        .map((event) => new LiveEvent(event));
      for (const event of events) {
        this.#ahead.set(event.id, event);
        this.#aheadSize += event.json.length;
      }
      this.#moveTo(Math.min(settled, until));
      this.#passOn({ events, cursor: this.#safe ?? 0 });
      if (this.#isFull) return;
    }
  }

  #moveTo(safe: number): void {
    if (this.#safe !== null && safe <= this.#safe) return;
    this.#safe = safe;
    for (const [id, event] of this.#ahead) {
      if (id > safe) continue;
      this.#ahead.delete(id);
      this.#aheadSize -= event.json.length;
    }
  }
}
