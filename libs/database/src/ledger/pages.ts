/** What the lists of the data ledger have in common: newest first, by a keyset, counted up to a limit. */
import { sql } from 'kysely';
import type { Expression } from 'kysely';
import { COUNT_LIMIT } from '../runs/query.ts';
import type { Db, DbTransaction } from '../sql/kysely.ts';

export interface LedgerPage<T> {
  readonly items: readonly T[];
  /** What matches, counted up to 10,000. */
  readonly total: number;
  /** True when there is more than was counted. */
  readonly totalIsCapped: boolean;
  readonly hasMore: boolean;
}

export interface LedgerPageRequest {
  readonly limit: number;
  /** Default 0. */
  readonly offset?: number;
  /** The id of the last item seen: only what is older follows. */
  readonly before?: string;
}

/**
 * `page` asks for one row more than the page holds, `matching` selects what is counted: after the page, because both may
 * be on the one connection of a transaction.
 */
export async function ledgerPage<R, T>(
  db: Db | DbTransaction,
  page: Promise<readonly R[]>,
  matching: Expression<unknown>,
  limit: number,
  toItem: (row: R) => T,
): Promise<LedgerPage<T>> {
  const found = await page;
  const { rows } = await sql<{ count: number }>`SELECT count(*)::int AS count FROM ${matching} m`.execute(db);
  const count = rows[0]?.count ?? 0;
  return {
    items: found.slice(0, limit).map(toItem),
    total: Math.min(count, COUNT_LIMIT),
    totalIsCapped: count > COUNT_LIMIT,
    hasMore: found.length > limit,
  };
}

/** Rows that are counted at the most: one more than is told. */
export const COUNTED_ROWS = COUNT_LIMIT + 1;
