/** Room for runs. Taken before a claim, given back when the run is settled. */
export class Slots {
  readonly total: number;
  #used = 0;
  #waiters: { resolve: (freed: boolean) => void; timer: NodeJS.Timeout | null }[] = [];
  #waking = false;

  constructor(total: number) {
    this.total = total;
  }

  get free(): number {
    return this.total - this.#used;
  }

  get used(): number {
    return this.#used;
  }

  /** Takes up to `wanted` slots at once; answers how many. */
  take(wanted: number): number {
    const taken = Math.min(wanted, this.free);
    this.#used += taken;
    return taken;
  }

  release(count = 1): void {
    this.#used -= count;
    if (this.#waking || this.#waiters.length === 0) return;
    // After this turn: the runs of one claim often end together, and one claim of fifty beats fifty claims of one.
    this.#waking = true;
    setImmediate(() => this.#wakeAll());
  }

  /** Resolves true once a slot is free (at once if one is), false after `timeoutMs`. */
  whenFree(timeoutMs?: number): Promise<boolean> {
    if (this.free > 0) return Promise.resolve(true);
    return new Promise((resolve) => {
      const waiter = { resolve, timer: null as NodeJS.Timeout | null };
      if (timeoutMs !== undefined) {
        waiter.timer = setTimeout(() => {
          this.#waiters = this.#waiters.filter((other) => other !== waiter);
          resolve(false);
        }, timeoutMs);
      }
      this.#waiters.push(waiter);
    });
  }

  #wakeAll(): void {
    this.#waking = false;
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.timer !== null) clearTimeout(waiter.timer);
      waiter.resolve(true);
    }
  }

  /** Wakes everybody who waits, so that they can see that the worker stops. */
  wake(): void {
    this.release(0);
  }
}
