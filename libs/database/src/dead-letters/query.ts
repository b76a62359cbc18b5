/** Finding dead letters. Nothing here decides anything. */
import { sql } from 'kysely';
import type { RunKind } from '@spine/core';
import { COUNT_LIMIT } from '../runs/query.ts';
import type { Db } from '../sql/kysely.ts';
import { toDeadLetter } from './repository.ts';
import type { DeadLetter } from './repository.ts';

export interface DeadLetterFilter {
  readonly kind?: RunKind;
  /** Handler name, without its kind. */
  readonly name?: string;
  readonly errorCategory?: string;
  /** Created at or after. */
  readonly since?: Date;
  /** Created before. */
  readonly until?: Date;
  /** True: only resolved; false: only pending. */
  readonly resolved?: boolean;
  /** Only letters of its runs. */
  readonly namespace?: string;
}

/** By when the run failed. */
export type DeadLetterOrder = 'newest_first' | 'oldest_first';

/** Where in a list a letter stands. */
export interface DeadLetterPosition {
  /** When it was created, in microseconds since 1970: what the database keeps, and more than a Date does. */
  readonly createdMicros: number;
  readonly deadLetterId: string;
}

export interface DeadLetterPageRequest {
  readonly limit: number;
  readonly offset: number;
  /** Default newest first. */
  readonly order?: DeadLetterOrder;
  /** Only what follows it in this order. */
  readonly after?: DeadLetterPosition;
}

export interface DeadLetterPage {
  readonly deadLetters: readonly DeadLetter[];
  /** Matching letters, counted up to 10,000. */
  readonly total: number;
  /** True when there are more than were counted. */
  readonly totalIsCapped: boolean;
  readonly hasMore: boolean;
  /** Of the last letter; null for an empty page. */
  readonly last: DeadLetterPosition | null;
}

/** Exact: Postgres multiplies microseconds by whole numbers that a double carries. */
function positioned({ createdMicros, deadLetterId }: DeadLetterPosition) {
  return sql`('epoch'::timestamptz + ${createdMicros}::float8 * interval '1 microsecond', ${deadLetterId}::uuid)`;
}

function filtered(db: Db, filter: DeadLetterFilter) {
  let query = db.selectFrom('dead_letters');
  if (filter.namespace !== undefined) query = query.where('namespace', '=', filter.namespace);
  if (filter.kind !== undefined) query = query.where('kind', '=', filter.kind);
  if (filter.name !== undefined) query = query.where('name', '=', filter.name);
  if (filter.errorCategory !== undefined) query = query.where('error_category', '=', filter.errorCategory);
  if (filter.since !== undefined) query = query.where('created_at', '>=', filter.since);
  if (filter.until !== undefined) query = query.where('created_at', '<', filter.until);
  if (filter.resolved === true) query = query.where('resolved_at', 'is not', null);
  if (filter.resolved === false) query = query.where('resolved_at', 'is', null);
  return query;
}

/** Dead letters that match, newest first unless asked otherwise. */
export async function listDeadLetters(
  db: Db,
  filter: DeadLetterFilter,
  page: DeadLetterPageRequest,
): Promise<DeadLetterPage> {
  const direction = page.order === 'oldest_first' ? 'asc' : 'desc';
  const follows = sql.raw(direction === 'asc' ? '>' : '<');
  const { after } = page;
  const rows = await filtered(db, filter)
    .selectAll()
    .select(sql<number>`(extract(epoch FROM created_at) * 1000000)::bigint`.as('created_micros'))
    .where(
      after === undefined
        ? sql<boolean>`true`
        : sql<boolean>`(created_at, id) ${follows} ${positioned(after)}`,
    )
    .orderBy('created_at', direction)
    .orderBy('id', direction)
    .limit(page.limit + 1)
    .offset(page.offset)
    .execute();
  // A first page that is not full is all there is.
  const isAll = after === undefined && page.offset === 0 && rows.length <= page.limit;
  const count = isAll ? rows.length : await countOf(db, filter);
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  return {
    deadLetters: shown.map(toDeadLetter),
    last: last === undefined ? null : { createdMicros: last.created_micros, deadLetterId: last.id },
    total: Math.min(count, COUNT_LIMIT),
    totalIsCapped: count > COUNT_LIMIT,
    hasMore: rows.length > page.limit,
  };
}

async function countOf(db: Db, filter: DeadLetterFilter): Promise<number> {
  const { count } = await db
    .selectFrom(
      filtered(db, filter)
        .select('id')
        .limit(COUNT_LIMIT + 1)
        .as('m'),
    )
    .select(sql<number>`count(*)::int`.as('count'))
    .executeTakeFirstOrThrow();
  return count;
}
