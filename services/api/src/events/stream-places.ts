/**
 * How many event streams each key has open in this process.
 *
 * 1. A place is taken before anything is asked of the database, and given back once, however the stream ends. 2. One key
 * that opens more than its share leaves room for the others. 3. Who has none open is not remembered.
 */
export type GiveBack = () => void;

export class StreamPlaces {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  /** @param most streams of one key; 0 is no limit. */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many keys have streams open. */
  get keys(): number {
    return this.#open.size;
  }

  /** Null when the key has as many as it may. What is answered gives the place back; a second call does nothing. */
  take(principalId: string): GiveBack | null {
    if (this.#most === 0) return () => undefined;
    const open = this.#open.get(principalId) ?? 0;
    if (open >= this.#most) return null;
    this.#open.set(principalId, open + 1);
    let taken = true;
    return () => {
      if (!taken) return;
      taken = false;
      const left = (this.#open.get(principalId) ?? 0) - 1;
      if (left > 0) this.#open.set(principalId, left);
      else this.#open.delete(principalId);
    };
  }
}
