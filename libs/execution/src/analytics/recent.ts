/** The last answer of something costly, for as long as it is recent enough. Callers at once share one question. */
export class Recent<T> {
  readonly #ask: () => Promise<T>;
  readonly #maxAgeMs: number;
  #answer: { readonly value: T; readonly at: number } | null = null;
  #asking: Promise<T> | null = null;

  constructor(ask: () => Promise<T>, maxAgeMs: number) {
    this.#ask = ask;
    this.#maxAgeMs = maxAgeMs;
  }

  /** An answer at most that old; what asking throws, every caller gets, and nothing is kept. */
  async get(): Promise<T> {
    const kept = this.#answer;
    if (kept !== null && performance.now() - kept.at <= this.#maxAgeMs) return kept.value;
    this.#asking ??= this.#ask()
      .then((fresh) => {
        this.#answer = { value: fresh, at: performance.now() };
        return fresh;
      })
      .finally(() => {
        this.#asking = null;
      });
    return this.#asking;
  }
}
