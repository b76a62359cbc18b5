import { ValidationError } from '../errors/permanent.ts';
import { Rational } from '../finance/rational.ts';
import type { TagGroupSet } from './tag-group-set.ts';

/** Anything that carries tags. */
export interface Taggable {
  readonly tags: TagGroupSet;
}

/** Dimension, then tag, then the number of items; both sorted by name. */
export type FacetCounts = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** How many items lie at each tag or below it: an item counts once a tag, however many of its tags lie there. */
export function facetCounts(items: Iterable<Taggable>): FacetCounts {
  const counts = new Map<string, Map<string, number>>();
  for (const { tags } of items) {
    for (const dimension of tags.dimensions) {
      const facet = counts.get(dimension) ?? new Map<string, number>();
      counts.set(dimension, facet);
      for (const tag of tags.tagsWithAncestors(dimension)) facet.set(tag, (facet.get(tag) ?? 0) + 1);
    }
  }
  return new Map(byName([...counts].map(([dimension, facet]) => [dimension, new Map(byName([...facet]))])));
}

export interface SimilarityOptions {
  /** How much a dimension counts: whole numbers from 0 to 1,000,000. Default 1 each. */
  readonly weights?: Readonly<Record<string, number>>;
}

/**
 * How alike two sets are, 0 to 1, exact: per dimension the Jaccard index |A ∩ B| / |A ∪ B| of the tags with everything
 * above them (so `tech/software` and `tech/hardware` are alike by a third), then the weighted mean of the dimensions that
 * at least one of the two has. Null when none of these has a weight.
 *
 * Source: P. Jaccard, "The distribution of the flora in the alpine zone", New Phytologist 11 (1912).
 * Throws ValidationError for a weight that is not allowed.
 */
export function similarity(
  a: TagGroupSet,
  b: TagGroupSet,
  { weights = {} }: SimilarityOptions = {},
): Rational | null {
  let total = 0n;
  let sum = Rational.of(0n);
  for (const [dimension, weight] of Object.entries(weights)) checkedWeight(dimension, weight);
  for (const dimension of new Set([...a.dimensions, ...b.dimensions])) {
    const weight = BigInt(Object.hasOwn(weights, dimension) ? (weights[dimension] ?? 1) : 1);
    const [left, right] = [a.tagsWithAncestors(dimension), b.tagsWithAncestors(dimension)];
    const shared = [...left].filter((tag) => right.has(tag)).length;
    const jaccard = Rational.of(BigInt(shared), BigInt(left.size + right.size - shared));
    sum = sum.plus(jaccard.times(Rational.of(weight)));
    total += weight;
  }
  return total === 0n ? null : sum.over(Rational.of(total));
}

/** The items that have anything in common with `target`, the most alike first; equally alike ones keep their order. */
export function mostSimilar<T extends Taggable>(
  target: TagGroupSet,
  items: Iterable<T>,
  options: SimilarityOptions & { readonly limit?: number } = {},
): { readonly item: T; readonly similarity: Rational }[] {
  return [...items]
    .flatMap((item) => {
      const alike = similarity(target, item.tags, options);
      return alike?.isPositive === true ? [{ item, similarity: alike }] : [];
    })
    .sort((left, right) => right.similarity.compare(left.similarity))
    .slice(0, options.limit);
}

function byName<V>(entries: readonly (readonly [string, V])[]): (readonly [string, V])[] {
  return entries.toSorted(([a], [b]) => (a < b ? -1 : 1));
}

function checkedWeight(dimension: string, weight: number): void {
  if (Number.isInteger(weight) && weight >= 0 && weight <= 1_000_000) return;
  throw new ValidationError(
    `weights.${dimension}: ${weight} is no weight; allowed are whole numbers from 0 to 1,000,000`,
  );
}
