/** How much workflow runs have to be told. */
import { asQueryable } from '../sql/kysely.ts';
import type { Db } from '../sql/kysely.ts';

/** Rows that are looked at: a count costs the same however long the backlog is. */
const MOST = 10_000;

export const INBOX_DEPTH_SQL = `SELECT count(*)::integer AS due,
  COALESCE(extract(epoch FROM now() - min(due_at)), 0)::float8 AS oldest_seconds
FROM (SELECT due_at FROM workflow_inbox WHERE due_at <= now() ORDER BY due_at LIMIT ${MOST}) d`;

export interface InboxDepth {
  /** Counted up to 10,000. */
  readonly due: number;
  /** How long the first of it has been due; 0 for nothing. */
  readonly oldestSeconds: number;
}

export async function workflowInboxDepth(db: Db): Promise<InboxDepth> {
  const { rows } = await asQueryable(db).query<{ due: number; oldest_seconds: number }>({
    text: INBOX_DEPTH_SQL,
    values: [],
  });
  const [row] = rows;
  return { due: row?.due ?? 0, oldestSeconds: row?.oldest_seconds ?? 0 };
}
