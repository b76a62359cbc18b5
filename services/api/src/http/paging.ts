/**
 * Lists in pages: by limit and offset, or by a cursor that names the last item seen. A cursor stays right while the
 * list grows, and costs the same on every page.
 */
import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { success } from './envelope.ts';
import type { Envelope, pageJson } from './envelope.ts';
import { invalid } from './problem.ts';
import { once, wholeNumber } from './query-values.ts';

export const LIMIT = { default: 50, max: 1_000 } as const;
/** Beyond this an offset reads more than it shows; a cursor does not. */
const MAX_OFFSET = 100_000;

/** Query parameters of every list. */
export const offsetPaging = {
  limit: wholeNumber(1, LIMIT.max)
    .default(LIMIT.default)
    .describe(`Items of one page. Default ${LIMIT.default}.`),
  offset: wholeNumber(0, MAX_OFFSET).default(0).describe('Items to leave out before the first. Default 0.'),
};

/** Query parameters of a list that can grow without bound. */
export const cursorPaging = {
  ...offsetPaging,
  cursor: once(z.string().min(1).max(200)).optional().describe('`page.next_cursor` of the page before.'),
};

export interface PageQuery {
  readonly limit: number;
  readonly offset: number;
  readonly cursor?: string | undefined;
}

export interface Listed<T> {
  readonly items: readonly T[];
  readonly total: number;
  readonly totalIsCapped?: boolean;
  readonly hasMore: boolean;
  /** Of the last item; null for a list without cursors. */
  readonly nextCursor: string | null;
}

export interface ListEnvelope<T> extends Envelope<readonly T[]> {
  readonly page: z.infer<typeof pageJson>;
}

export function list<T>(reply: FastifyReply, query: PageQuery, listed: Listed<T>): ListEnvelope<T> {
  const { limit, offset, cursor } = query;
  const { items, total, totalIsCapped = false, hasMore } = listed;
  const nextCursor = hasMore ? listed.nextCursor : null;
  const page = {
    total,
    total_is_capped: totalIsCapped,
    limit,
    offset,
    has_more: hasMore,
    page: Math.floor(offset / limit) + 1,
    total_pages: Math.ceil(total / limit),
    has_prev: offset > 0 || cursor !== undefined,
    next_cursor: nextCursor,
  };
  const links = nextCursor === null ? [] : [{ rel: 'next', href: nextHref(reply, nextCursor) }];
  return { ...success(reply, items, { links }), page };
}

function nextHref(reply: FastifyReply, cursor: string): string {
  const [path = '', query = ''] = reply.request.url.split('?', 2);
  const params = new URLSearchParams(query);
  params.delete('offset');
  params.set('cursor', cursor);
  return `${path}?${params.toString()}`;
}

/** Opaque to clients, so that what it names may change; the prefix tells lists apart. */
export function encodeCursor(list: string, position: string): string {
  return Buffer.from(`${list}:${position}`).toString('base64url');
}

/**
 * The position in a cursor of this list; undefined for none.
 * @throws HttpProblem for a cursor of another list or of nobody, and for a cursor together with an offset.
 */
export function positionOf(
  list: string,
  query: PageQuery,
  isPosition: (text: string) => boolean,
): string | undefined {
  const { cursor, offset } = query;
  if (cursor === undefined) return undefined;
  const text = Buffer.from(cursor, 'base64url').toString('utf8');
  const position = text.slice(list.length + 1);
  if (!text.startsWith(`${list}:`) || !isPosition(position)) {
    throw invalid([
      { field: 'cursor', code: 'invalid_cursor', message: 'is not a next_cursor of this list' },
    ]);
  }
  if (offset > 0) {
    throw invalid([{ field: 'offset', code: 'conflict', message: 'cannot be used together with cursor' }]);
  }
  return position;
}
