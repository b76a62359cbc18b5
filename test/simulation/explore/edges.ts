/** Steps between numbered states, and who can get where by them. */
export class Edges {
  readonly #from: number[] = [];
  readonly #to: number[] = [];

  add(from: number, to: number): void {
    this.#from.push(from);
    this.#to.push(to);
  }

  /** How many of `count` states have a way to one of `ends`, which have one themselves. */
  reaching(ends: readonly number[], count: number): number {
    const { first, sources } = this.#backwards(count);
    const reached = new Uint8Array(count);
    const open = [...ends];
    for (const end of ends) reached[end] = 1;
    let total = 0;
    for (let at = open.pop(); at !== undefined; at = open.pop()) {
      total += 1;
      for (let edge = first[at] ?? 0; edge < (first[at + 1] ?? 0); edge += 1) {
        const source = sources[edge] ?? 0;
        if (reached[source] === 1) continue;
        reached[source] = 1;
        open.push(source);
      }
    }
    return total;
  }

  /** The edges by their end: those of state n are `sources` from `first[n]` to before `first[n + 1]`. */
  #backwards(count: number): { first: Uint32Array; sources: Uint32Array } {
    const first = new Uint32Array(count + 1);
    for (const to of this.#to) first[to + 1] = (first[to + 1] ?? 0) + 1;
    for (let at = 0; at < count; at += 1) first[at + 1] = (first[at + 1] ?? 0) + (first[at] ?? 0);
    const free = first.slice();
    const sources = new Uint32Array(this.#to.length);
    for (const [edge, to] of this.#to.entries()) {
      const place = free[to] ?? 0;
      sources[place] = this.#from[edge] ?? 0;
      free[to] = place + 1;
    }
    return { first, sources };
  }
}
