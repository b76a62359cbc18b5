/** How many dead letters there are. Both halves are counted in an index of their own and read no letter. */
import { sql } from 'kysely';
import type { RunKind } from '@spine/core';
import type { Db } from '../sql/kysely.ts';

export interface DeadLetterCounts {
  readonly pending: number;
  /** Closed without a replay, in the window. */
  readonly resolved: number;
  /** Closed by a replay, in the window. */
  readonly replayed: number;
  /** When the longest waiting pending letter was written; null for none. */
  readonly oldestPendingAt: Date | null;
}

export interface DeadLetterGroup extends DeadLetterCounts {
  readonly kind: RunKind;
  readonly name: string;
  readonly errorCategory: string;
}

interface GroupRow {
  kind: RunKind;
  name: string;
  error_category: string;
  pending: number;
  resolved: number;
  replayed: number;
  oldest_pending_at: Date | null;
}

/**
 * Dead letters by handler and error category, most pending first: all that are pending, and those that were closed in
 * the last `closedDays` days.
 */
export async function deadLetterGroups(
  db: Db,
  closedDays: number,
  namespace?: string,
): Promise<DeadLetterGroup[]> {
  const own = namespace === undefined ? sql`` : sql`AND namespace = ${namespace}`;
  const { rows } = await sql<GroupRow>`
    SELECT kind, name, error_category, sum(pending)::int AS pending, sum(resolved)::int AS resolved,
      sum(replayed)::int AS replayed, min(oldest_pending_at) AS oldest_pending_at
    FROM (
      SELECT kind, name, error_category, count(*) AS pending, 0 AS resolved, 0 AS replayed,
        min(created_at) AS oldest_pending_at
      FROM dead_letters WHERE resolved_at IS NULL ${own} GROUP BY kind, name, error_category
      UNION ALL
      SELECT kind, name, error_category, 0, count(*) FILTER (WHERE resolution = 'resolved'),
        count(*) FILTER (WHERE resolution = 'replayed'), NULL
      FROM dead_letters WHERE resolved_at >= now() - ${closedDays}::integer * interval '1 day' ${own}
      GROUP BY kind, name, error_category
    ) g
    GROUP BY kind, name, error_category ORDER BY pending DESC, kind, name, error_category`.execute(db);
  return rows.map((row) => ({
    kind: row.kind,
    name: row.name,
    errorCategory: row.error_category,
    pending: row.pending,
    resolved: row.resolved,
    replayed: row.replayed,
    oldestPendingAt: row.oldest_pending_at,
  }));
}
