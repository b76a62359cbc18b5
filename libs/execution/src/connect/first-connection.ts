/** Tells whether a connection was made for the first time, and lets any number of callers wait for that. */
export class FirstConnection {
  readonly #late: (ms: number) => Error;
  readonly #waiting = new Set<(error: Error | null) => void>();
  #isMade = false;

  /** @param late the error of those who waited for so long in vain */
  constructor(late: (ms: number) => Error) {
    this.#late = late;
  }

  /** A connection was made. True for every one but the first: what came in between is lost. */
  connected(): boolean {
    const again = this.#isMade;
    this.#isMade = true;
    this.#end(null);
    return again;
  }

  /** The first try failed: whoever does not want to wait for the next one is told. */
  failed(error: Error): void {
    this.#end(error);
  }

  /** @throws what {@link failed} was told, and the error of the constructor when it takes longer */
  wait(ms: number): Promise<void> {
    if (this.#isMade) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const end = (error: Error | null): void => {
        clearTimeout(timer);
        this.#waiting.delete(end);
        if (error === null) resolve();
        else reject(error);
      };
      const timer = setTimeout(() => end(this.#late(ms)), ms);
      this.#waiting.add(end);
    });
  }

  #end(error: Error | null): void {
    for (const end of [...this.#waiting]) end(error);
  }
}
