import type { Db, DbTransaction } from './kysely.ts';

/** Runs `work` in the caller's transaction, or in one of its own where there is none. */
export function atomically<T>(
  db: Db | DbTransaction,
  work: (trx: Db | DbTransaction) => Promise<T>,
): Promise<T> {
  return db.isTransaction ? work(db) : db.transaction().execute(work);
}
