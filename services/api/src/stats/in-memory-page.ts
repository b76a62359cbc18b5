import type { Listed, PageQuery } from '../http/paging.ts';

/** One page of a list that is short enough to be read whole. */
export function pageOf<T, J>(query: PageQuery, all: readonly T[], toJson: (item: T) => J): Listed<J> {
  const items = all.slice(query.offset, query.offset + query.limit).map(toJson);
  return { items, total: all.length, hasMore: query.offset + items.length < all.length, nextCursor: null };
}
