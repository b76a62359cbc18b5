/**
 * A map whose versions are values: `with` gives a new version and leaves every older one as it was.
 *
 * 1. The newest version holds the entries; an older one holds what it had otherwise, and the version after it. Making and
 *    reading the newest costs what has changed, whatever the size.
 * 2. Reading an older version walks to the newest; changing one copies it once. Both are for tools, not for the engine.
 */
export class PersistentMap<V> {
  #entries: Map<string, V> | null;
  #newer: { readonly version: PersistentMap<V>; readonly before: ReadonlyMap<string, V | undefined> } | null =
    null;

  constructor(entries: Iterable<readonly [string, V]> = []) {
    this.#entries = new Map(entries);
  }

  get(key: string): V | undefined {
    let version: PersistentMap<V> = this.#self();
    while (version.#newer !== null) {
      if (version.#newer.before.has(key)) return version.#newer.before.get(key);
      version = version.#newer.version;
    }
    return version.#entries?.get(key);
  }

  /** This version with other values for some keys. */
  with(changes: ReadonlyMap<string, V>): PersistentMap<V> {
    if (changes.size === 0) return this;
    const entries = this.#entries ?? new Map(this.entries());
    const next = new PersistentMap<V>();
    const before = new Map<string, V | undefined>();
    for (const [key, value] of changes) {
      before.set(key, entries.get(key));
      entries.set(key, value);
    }
    next.#entries = entries;
    if (this.#entries !== null) {
      this.#entries = null;
      this.#newer = { version: next, before };
    }
    return next;
  }

  /** Every entry of this version; costs its size. */
  entries(): [string, V][] {
    const overrides: ReadonlyMap<string, V | undefined>[] = [];
    let version: PersistentMap<V> = this.#self();
    while (version.#newer !== null) {
      overrides.push(version.#newer.before);
      version = version.#newer.version;
    }
    const merged = new Map<string, V | undefined>(version.#entries);
    for (const override of overrides.reverse()) for (const [key, value] of override) merged.set(key, value);
    return [...merged].flatMap(([key, value]): [string, V][] => (value === undefined ? [] : [[key, value]]));
  }

  #self(): PersistentMap<V> {
    return this;
  }
}
