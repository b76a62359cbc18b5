const MOST = 10_000;

/** Keys that opened something lately, by their digest: the only ones looked at for an address that guesses. */
export class RecentlyGood {
  readonly #digests = new Set<string>();

  has(digest: Buffer): boolean {
    return this.#digests.has(digest.toString('latin1'));
  }

  add(digest: Buffer): void {
    this.#digests.add(digest.toString('latin1'));
    for (const oldest of this.#digests) {
      if (this.#digests.size <= MOST) return;
      this.#digests.delete(oldest);
    }
  }
}
