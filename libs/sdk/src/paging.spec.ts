import { describe, expect, it } from 'vitest';
import type { Page } from './generated/index.ts';
import { paged } from './paging.ts';

interface Query {
  limit?: number;
  offset?: number;
  cursor?: string;
  name?: string;
}

/** A list of numbers that pages as the API does: `by` cursor or by offset. */
function numbers(count: number, by: 'cursor' | 'offset', asked: Query[] = []) {
  return (query?: Query) =>
    paged(query, (query) => {
      asked.push(query);
      const { limit = 2, offset = 0, cursor } = query;
      const start = cursor === undefined ? offset : Number(cursor);
      const data = Array.from({ length: Math.max(0, Math.min(limit, count - start)) }, (_, n) => start + n);
      const end = start + data.length;
      const page: Page = {
        total: count,
        total_is_capped: false,
        limit,
        offset,
        has_more: end < count,
        page: 1,
        total_pages: 1,
        has_prev: false,
        next_cursor: by === 'cursor' && end < count ? String(end) : null,
      };
      return Promise.resolve({ data: { data, page }, response: new Response() });
    });
}

describe('a list', () => {
  it.each(['cursor', 'offset'] as const)('is read to its end by %s', async (by) => {
    const list = numbers(5, by);
    expect(await list().toArray()).toEqual([0, 1, 2, 3, 4]);
    expect(await list({ offset: 1, limit: 3 }).toArray()).toEqual([1, 2, 3, 4]);
    expect(await numbers(0, by)().toArray()).toEqual([]);
  });

  it('keeps its query, and asks by cursor without an offset', async () => {
    const asked: Query[] = [];
    await numbers(5, 'cursor', asked)({ name: 'a', offset: 1 }).toArray();
    expect(asked).toEqual([
      { name: 'a', offset: 1 },
      { name: 'a', cursor: '3' },
    ]);
  });

  it('asks for no page that nobody reads', async () => {
    const asked: Query[] = [];
    const list = numbers(5, 'cursor', asked)();
    expect(asked).toEqual([]);
    expect(await list.toArray(3)).toEqual([0, 1, 2]);
    expect(asked).toHaveLength(2);
    expect((await list.first()).page.total).toBe(5);
    for await (const each of list) if (each === 1) break;
    expect(asked).toHaveLength(4);
  });

  it('does not go round in circles', async () => {
    const page = { next_cursor: 'same', has_more: true } as Page;
    const list = paged(undefined, () =>
      Promise.resolve({ data: { data: [1], page }, response: new Response() }),
    );
    await expect(list.toArray()).rejects.toThrow('the same page twice');
  });

  it('is none in JSON of something else', async () => {
    const list = paged(undefined, () =>
      Promise.resolve({
        data: JSON.parse('{"items":[]}') as { data: []; page: Page },
        response: new Response(),
      }),
    );
    await expect(list.first()).rejects.toThrow('answered 200 without "data"');
  });
});
