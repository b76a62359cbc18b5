/**
 * Ranks from 1 in the order of `compare`, in the order of `items`. Equal items share a rank and the next one follows
 * without a gap (SQL's dense_rank): 30, 20, 20, 10 descending are 1, 2, 2, 3.
 */
export function denseRanks<T>(items: readonly T[], compare: (a: T, b: T) => number): number[] {
  return ranks(items, compare, false);
}

/**
 * Ranks 1 to n, each once, in the order of `items` (SQL's row_number): where `compare` finds two items equal, the
 * earlier one comes first. Let `compare` end in a unique key where the order of the rows must not matter.
 */
export function consecutiveRanks<T>(items: readonly T[], compare: (a: T, b: T) => number): number[] {
  return ranks(items, compare, true);
}

function ranks<T>(items: readonly T[], compare: (a: T, b: T) => number, eachItsOwn: boolean): number[] {
  // Sorting is stable, so equal items stay in the order they came in.
  const order = items.map((item, index) => ({ item, index })).sort((a, b) => compare(a.item, b.item));
  const result = new Array<number>(items.length).fill(0);
  let rank = 0;
  for (const [position, { item, index }] of order.entries()) {
    const before = order[position - 1];
    if (before === undefined || eachItsOwn || compare(before.item, item) !== 0) rank += 1;
    result[index] = rank;
  }
  return result;
}
