/** Lists that come in pages, as one sequence. */
import { enveloped } from './connection.ts';
import type { Answered } from './connection.ts';
import { SpineAnswerError } from './errors.ts';
import type { Page } from './generated/index.ts';

export interface PageOf<T> {
  readonly data: readonly T[];
  readonly page: Page;
}

/** What every list takes; those that can grow without bound take a cursor too. */
interface Position {
  limit?: number;
  offset?: number;
  cursor?: string;
}

/**
 * A list of the API. Nothing is asked before it is read, and each reading asks anew. Lists with a cursor stay right while
 * they grow; in the others an item may come twice or not at all when the list changes meanwhile.
 */
export class PagedList<T> implements AsyncIterable<T> {
  readonly #query: Position;
  readonly #ask: (query: Position) => Promise<PageOf<T>>;

  constructor(query: Position, ask: (query: Position) => Promise<PageOf<T>>) {
    this.#query = query;
    this.#ask = ask;
  }

  /** The first page, with its totals. */
  first(): Promise<PageOf<T>> {
    return this.#ask(this.#query);
  }

  /** Every page. @throws SpineAnswerError when the API answers with a page again */
  async *pages(): AsyncGenerator<PageOf<T>, void, undefined> {
    let query: Position | null = this.#query;
    while (query !== null) {
      const answer: PageOf<T> = await this.#ask(query);
      yield answer;
      query = following(query, answer);
    }
  }

  /** Every item. */
  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for await (const { data } of this.pages()) yield* data;
  }

  /** The items as an array. @param max none are asked for beyond it */
  async toArray(max: number = Number.POSITIVE_INFINITY): Promise<T[]> {
    const items: T[] = [];
    for await (const { data } of this.pages()) {
      items.push(...data.slice(0, max - items.length));
      if (items.length >= max) break;
    }
    return items;
  }
}

function following(
  { offset: _offset, ...query }: Position,
  { data, page }: PageOf<unknown>,
): Position | null {
  if (!page.has_more) return null;
  const { next_cursor: cursor } = page;
  if (cursor === null) return data.length === 0 ? null : { ...query, offset: page.offset + data.length };
  if (cursor === query.cursor) throw new SpineAnswerError('answered with the same page twice', 200);
  return { ...query, cursor };
}

/**
 * @param query as the caller gave it
 * @param ask a generated function of the list, which is given the query with the position of a page
 */
export function paged<Q extends object, T>(
  query: (Q & Position) | undefined,
  ask: (query: Q) => Promise<Answered<{ data: T[]; page: Page }>>,
): PagedList<T> {
  // A position has nothing that a query of the list could not have: a cursor comes from the list itself.
  return new PagedList<T>(query ?? {}, async (position) => enveloped(await ask(position as Q)));
}
