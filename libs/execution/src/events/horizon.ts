/**
 * Up to which id the history of all runs cannot change any more. Pure.
 *
 * 1. An id was given out before a look iff it is at most the `last` of that look. 2. Whoever may still write an event with
 * such an id is among the `writers` of that look, read after `last`. 3. Once none of them is left, everything up to that
 * `last` is visible to whoever looks from then on, or never will be.
 */
export class EventHorizon {
  #settled: number | null = null;
  #asked: { readonly last: number; readonly writers: ReadonlySet<string> } | null = null;

  /** Null until it is known for the first time; it only grows. */
  get settled(): number | null {
    return this.#settled;
  }

  /** Whether everything up to `last` is settled. */
  covers(last: number): boolean {
    return this.#settled !== null && this.#settled >= last;
  }

  /** Takes a look: the last id given out, then the transactions under way that may have written events. */
  look(last: number, writers: readonly string[]): void {
    const now = new Set(writers);
    if (this.#asked !== null && isDisjoint(this.#asked.writers, now)) this.#settle(this.#asked.last);
    // The first of the writers to be waited for: a later look would wait for those that began in between, too.
    if (this.#asked === null) this.#asked = { last, writers: now };
    if (this.#asked.writers.size === 0) this.#settle(this.#asked.last);
  }

  #settle(last: number): void {
    this.#settled = Math.max(this.#settled ?? 0, last);
    this.#asked = null;
  }
}

function isDisjoint(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  for (const each of a) if (b.has(each)) return false;
  return true;
}
