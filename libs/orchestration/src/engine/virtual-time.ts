/** Time that passes when nothing else happens: a week of waiting takes as long as finding the next timer. */
import { ManualClock } from '@spine/core';

interface Alarm {
  readonly at: number;
  /** Of two alarms of one instant the earlier set goes off first. */
  readonly order: number;
  readonly ring: () => void;
}

export class VirtualTime {
  readonly clock: ManualClock;
  readonly #alarms = new Map<string, Alarm>();
  #order = 0;

  /** @param start default 2026-01-01T00:00:00Z, so that runs are the same every time. */
  constructor(start: Date | string = '2026-01-01T00:00:00Z') {
    this.clock = new ManualClock(start);
  }

  /** Sets an alarm, or sets it anew. */
  set(key: string, at: Date, ring: () => void): void {
    this.#order += 1;
    this.#alarms.set(key, { at: at.getTime(), order: this.#order, ring });
  }

  clear(key: string): void {
    this.#alarms.delete(key);
  }

  has(key: string): boolean {
    return this.#alarms.has(key);
  }

  /** Moves on to the next alarm and lets it ring; false when none is set. Never moves back. */
  skip(): boolean {
    let next: readonly [string, Alarm] | null = null;
    for (const entry of this.#alarms) if (next === null || isBefore(entry[1], next[1])) next = entry;
    if (next === null) return false;
    this.#alarms.delete(next[0]);
    this.clock.advance(Math.max(0, next[1].at - this.clock.now().getTime()));
    next[1].ring();
    return true;
  }
}

function isBefore(one: Alarm, other: Alarm): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at;
}
