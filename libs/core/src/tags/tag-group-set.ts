import { ValidationError } from '../errors/permanent.ts';
import { truncateText } from '../text.ts';
import { isWithin, parseTag, withAncestors } from './tag-path.ts';

/** Tags by dimension, as JSON has them. */
export type TagGroups = Readonly<Record<string, readonly string[]>>;

const DIMENSION = /^[a-z][a-z0-9_]{0,62}$/;

/**
 * Tags in independent dimensions (tickers, sectors, event_types), each with its own hierarchy. Immutable; dimensions and
 * tags are sorted and unique, so equal sets are equal JSON.
 *
 * In every question a tag stands for itself and all that lies below it: an item tagged `tech/software` is found under
 * `tech`.
 */
export class TagGroupSet {
  static readonly EMPTY = TagGroupSet.of({});

  readonly #groups: ReadonlyMap<string, readonly string[]>;

  private constructor(groups: ReadonlyMap<string, readonly string[]>) {
    this.#groups = groups;
    Object.freeze(this);
  }

  /**
   * A dimension without tags counts as absent. Throws ValidationError naming the dimension and the tag; a dimension is
   * named by lower-case letters, digits and underscores.
   */
  static of(groups: TagGroups): TagGroupSet {
    const sorted = Object.entries(groups)
      .map(([dimension, tags]) => [checkedDimension(dimension), parseTags(dimension, tags)] as const)
      .filter(([, tags]) => tags.length > 0)
      .sort(([a], [b]) => (a < b ? -1 : 1));
    return new TagGroupSet(new Map(sorted));
  }

  get dimensions(): readonly string[] {
    return [...this.#groups.keys()];
  }

  /** The tags of a dimension, sorted; none for a dimension that is absent. */
  tags(dimension: string): readonly string[] {
    return this.#groups.get(dimension) ?? [];
  }

  /** The tags of a dimension with everything above them. */
  tagsWithAncestors(dimension: string): ReadonlySet<string> {
    return new Set(this.tags(dimension).flatMap(withAncestors));
  }

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  /** Whether the dimension has `tag` or one below it. */
  has(dimension: string, tag: string): boolean {
    return this.tags(dimension).some((own) => isWithin(own, tag));
  }

  with(dimension: string, ...tags: readonly string[]): TagGroupSet {
    return this.merge(TagGroupSet.of({ [dimension]: tags }));
  }

  /** Without these tags and what lies below them; without the whole dimension when no tag is named. */
  without(dimension: string, ...tags: readonly string[]): TagGroupSet {
    const left = this.tags(dimension).filter(
      (own) => tags.length > 0 && !tags.some((tag) => isWithin(own, tag)),
    );
    return TagGroupSet.of({ ...this.toJSON(), [dimension]: left });
  }

  /** The tags of both. */
  merge(other: TagGroupSet): TagGroupSet {
    const dimensions = new Set([...this.dimensions, ...other.dimensions]);
    return TagGroupSet.of(
      Object.fromEntries([...dimensions].map((name) => [name, [...this.tags(name), ...other.tags(name)]])),
    );
  }

  /** Whether every tag asked for is there, in every dimension. True when nothing is asked. */
  matchesAll(asked: TagGroupSet): boolean {
    return asked.dimensions.every((name) => asked.tags(name).every((tag) => this.has(name, tag)));
  }

  /** Whether any tag asked for is there, in any dimension. False when nothing is asked. */
  matchesAny(asked: TagGroupSet): boolean {
    return asked.dimensions.some((name) => asked.tags(name).some((tag) => this.has(name, tag)));
  }

  /** As a faceted search: of every dimension asked for, any of its tags. True when nothing is asked. */
  matchesFacets(asked: TagGroupSet): boolean {
    return asked.dimensions.every((name) => asked.tags(name).some((tag) => this.has(name, tag)));
  }

  equals(other: TagGroupSet): boolean {
    return JSON.stringify(this) === JSON.stringify(other);
  }

  toJSON(): TagGroups {
    return Object.fromEntries(this.#groups);
  }
}

function parseTags(dimension: string, tags: readonly string[]): readonly string[] {
  const parsed = tags.map((tag, index) => parseTag(tag, `${dimension}[${index}]`));
  return Object.freeze([...new Set(parsed)].sort());
}

function checkedDimension(name: string): string {
  if (DIMENSION.test(name)) return name;
  throw new ValidationError(
    `${truncateText(name, 60)}: not a dimension; allowed are lower-case letters, digits and underscores, at most 63`,
    {
      issues: [{ field: name, code: 'invalid_dimension', message: 'must be lower-case letters and digits' }],
    },
  );
}
