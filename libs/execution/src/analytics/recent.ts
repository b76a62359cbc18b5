export interface RecentOptions<T> {
  /** How long an answer is recent enough. */
  readonly maxAgeMs: number;
  /** False: asking costs little; the answer is not kept, and whoever asks next asks anew. Default: every answer is kept. */
  readonly isCostly?: (answer: T) => boolean;
}

/** The last answer of something costly, for as long as it is recent enough. Callers at once share one question. */
export class Recent<T> {
  readonly #ask: () => Promise<T>;
  readonly #maxAgeMs: number;
  readonly #isCostly: (answer: T) => boolean;
  #answer: { readonly value: T; readonly at: number } | null = null;
  #asking: Promise<T> | null = null;
  /** An answer that was asked for before somebody wrote something would not show it: only costly ones are shared. */
  #shares: boolean;

  constructor(ask: () => Promise<T>, { maxAgeMs, isCostly }: RecentOptions<T>) {
    this.#ask = ask;
    this.#maxAgeMs = maxAgeMs;
    this.#isCostly = isCostly ?? (() => true);
    this.#shares = isCostly === undefined;
  }

  /** An answer at most that old; what asking throws, every caller gets, and nothing is kept. */
  async get(): Promise<T> {
    const kept = this.#answer;
    if (kept !== null && performance.now() - kept.at <= this.#maxAgeMs) return kept.value;
    if (!this.#shares) return this.#fresh();
    this.#asking ??= this.#fresh().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #fresh(): Promise<T> {
    const value = await this.#ask();
    this.#shares = this.#isCostly(value);
    this.#answer = this.#shares ? { value, at: performance.now() } : null;
    return value;
  }
}
