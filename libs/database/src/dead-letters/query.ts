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
}

/** By when the run failed. */
export type DeadLetterOrder = 'newest_first' | 'oldest_first';

export interface DeadLetterPage {
  readonly deadLetters: readonly DeadLetter[];
  /** Matching letters, counted up to 10,000. */
  readonly total: number;
  /** True when there are more than were counted. */
  readonly totalIsCapped: boolean;
  readonly hasMore: boolean;
}

function filtered(db: Db, filter: DeadLetterFilter) {
  let query = db.selectFrom('dead_letters');
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
  page: { readonly limit: number; readonly offset: number; readonly order?: DeadLetterOrder },
): Promise<DeadLetterPage> {
  const direction = page.order === 'oldest_first' ? 'asc' : 'desc';
  const [rows, counted] = await Promise.all([
    filtered(db, filter)
      .selectAll()
      .orderBy('created_at', direction)
      .orderBy('id', direction)
      .limit(page.limit + 1)
      .offset(page.offset)
      .execute(),
    db
      .selectFrom(
        filtered(db, filter)
          .select('id')
          .limit(COUNT_LIMIT + 1)
          .as('m'),
      )
      .select(sql<number>`count(*)::int`.as('count'))
      .executeTakeFirstOrThrow(),
  ]);
  return {
    deadLetters: rows.slice(0, page.limit).map(toDeadLetter),
    total: Math.min(counted.count, COUNT_LIMIT),
    totalIsCapped: counted.count > COUNT_LIMIT,
    hasMore: rows.length > page.limit,
  };
}
