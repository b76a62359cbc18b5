/** Counts handler calls, so that nothing has to ask a database while it is measured. */
export class Countdown {
  #left = 0;
  #resolve: () => void = () => undefined;
  /** Resolves when `start`'s count was reached. */
  reached: Promise<void> = Promise.resolve();

  start(count: number): void {
    this.#left = count;
    this.reached = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  tick(): void {
    this.#left -= 1;
    if (this.#left === 0) this.#resolve();
  }
}

/** Things a second, for `count` things since `from` (of performance.now()). */
export function rateSince(from: number, count: number): number {
  return count / ((performance.now() - from) / 1000);
}
