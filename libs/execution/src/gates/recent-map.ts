/** A map of bounded size that forgets what was asked for longest ago. */
export class RecentMap<V> {
  readonly #most: number;
  readonly #onForget: (value: V) => void;
  readonly #values = new Map<string, V>();

  constructor(most: number, onForget: (value: V) => void = () => undefined) {
    this.#most = most;
    this.#onForget = onForget;
  }

  /** The value of a key, made where there is none. */
  get(key: string, make: () => V): V {
    const known = this.#values.has(key);
    const value = known ? (this.#values.get(key) as V) : make();
    this.#values.delete(key);
    this.#values.set(key, value);
    const [oldest] = this.#values;
    if (this.#values.size > this.#most && oldest !== undefined) {
      this.#values.delete(oldest[0]);
      this.#onForget(oldest[1]);
    }
    return value;
  }

  /** All that are kept. */
  get values(): readonly V[] {
    return [...this.#values.values()];
  }
}
