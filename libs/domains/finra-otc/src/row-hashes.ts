/** Hex digits of a SHA-256. */
const HASH_LENGTH = 64;
/** Half of the slots stay free, so that the next free one is near. */
const SLOTS_A_HASH = 2;
const FREE = -1;

/**
 * A set of up to `capacity` hashes in memory of its own, which is used again and again. Text in a `Set` lives as long as
 * its batch does, which is long enough to be taken for long-lived: with millions of rows it becomes most of the heap.
 *
 * Open addressing, linear probing. Every hash is compared whole: equal beginnings are not taken for equal hashes.
 */
export class RowHashes {
  readonly #hashes: Buffer;
  /** Positions in `#hashes`, in the slot that the beginning of the hash names or the first free one after it. */
  readonly #slots: Int32Array;
  readonly #capacity: number;
  #size = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#hashes = Buffer.allocUnsafe(capacity * HASH_LENGTH);
    this.#slots = new Int32Array(capacity * SLOTS_A_HASH).fill(FREE);
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Adds a hash of 64 lower-case hex digits; false when it is there already.
   * @throws RangeError when it is new and the set is full.
   */
  add(hash: string): boolean {
    let slot = Number.parseInt(hash.slice(0, 8), 16) % this.#slots.length;
    for (;;) {
      const at = this.#slots[slot] ?? FREE;
      if (at === FREE) break;
      if (this.#hashes.toString('latin1', at, at + HASH_LENGTH) === hash) return false;
      slot = (slot + 1) % this.#slots.length;
    }
    if (this.#size === this.#capacity) throw new RangeError(`there are ${this.#capacity} hashes already`);
    const at = this.#size * HASH_LENGTH;
    this.#hashes.write(hash, at, HASH_LENGTH, 'latin1');
    this.#slots[slot] = at;
    this.#size += 1;
    return true;
  }

  clear(): void {
    this.#size = 0;
    this.#slots.fill(FREE);
  }
}
