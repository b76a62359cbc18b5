/** A fixed number of places, given in the order they were asked for. */
interface Waiter {
  readonly take: () => void;
}

export class Turns {
  readonly total: number;
  #taken = 0;
  readonly #waiting = new Set<Waiter>();

  constructor(total: number) {
    this.total = total;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** Resolves true with a place, which has to be given back; false when the signal is aborted before there is one. */
  take(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return Promise.resolve(false);
    if (this.#taken < this.total) {
      this.#taken += 1;
      return Promise.resolve(true);
    }
    return new Promise((resolve) => {
      const giveUp = (): void => {
        this.#waiting.delete(waiter);
        resolve(false);
      };
      const waiter: Waiter = {
        take: () => {
          signal.removeEventListener('abort', giveUp);
          resolve(true);
        },
      };
      signal.addEventListener('abort', giveUp, { once: true });
      this.#waiting.add(waiter);
    });
  }

  /** Gives a place back, to whoever has waited longest. */
  giveBack(): void {
    const next = this.#waiting.values().next().value;
    if (next === undefined) {
      this.#taken -= 1;
      return;
    }
    this.#waiting.delete(next);
    next.take();
  }
}
