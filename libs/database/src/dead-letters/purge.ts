/** Deleting old dead letters. What may go is decided by `spine_purge_dead_letters` (migration 0007): never a pending one. */
import { sql } from 'kysely';
import type { Db } from '../sql/kysely.ts';

/** Letters that were resolved more than `olderThanDays` days ago. */
export async function countPurgeableDeadLetters(db: Db, olderThanDays: number): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    SELECT count(*)::int AS count FROM dead_letters
    WHERE resolved_at < now() - ${olderThanDays}::integer * interval '1 day'`.execute(db);
  return rows[0]?.count ?? 0;
}

/**
 * Deletes up to `batch` (1 to 5,000) letters that were resolved more than `olderThanDays` (at least 1) days ago, and
 * answers how many. Their runs stay.
 *
 * @throws the driver's error (22023) for values that are not allowed; then nothing was deleted.
 */
export async function purgeDeadLetters(db: Db, olderThanDays: number, batch: number): Promise<number> {
  const { rows } = await sql<{ deleted: number }>`
    SELECT spine_purge_dead_letters(${olderThanDays}::integer * interval '1 day', ${batch}::integer) AS deleted`.execute(
    db,
  );
  return rows[0]?.deleted ?? 0;
}
