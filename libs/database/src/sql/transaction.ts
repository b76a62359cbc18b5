import { classifySqlFault } from './errors.ts';
import type { Pool, Queryable } from './pool.ts';

export interface TransactionOptions {
  /** How long a statement waits for a lock. */
  readonly lockTimeoutMs: number;
  /**
   * How long the connection may be silent in between. A process that stands still in a transaction would otherwise keep
   * its locks for as long as its connection lives.
   */
  readonly idleTimeoutMs: number;
}

/**
 * Runs `work` in a transaction on a connection of its own.
 *
 * @throws what `work` or the COMMIT throws; then nothing was written, or the connection broke and nobody knows.
 */
export async function inTransaction<T>(
  pool: Pool,
  { lockTimeoutMs, idleTimeoutMs }: TransactionOptions,
  work: (on: Queryable) => Promise<T>,
): Promise<T> {
  const client = await pool.connect();
  let broken: Error | undefined;
  // A connection that the server ends while nothing is asked of it reports so here; the next statement fails.
  const onError = (error: Error): void => {
    broken = error;
  };
  client.on('error', onError);
  try {
    await client.query(
      `BEGIN; SET LOCAL lock_timeout = ${Math.round(lockTimeoutMs)};
SET LOCAL idle_in_transaction_session_timeout = ${Math.round(idleTimeoutMs)}`,
    );
    const value = await work(client);
    await client.query('COMMIT');
    return value;
  } catch (error) {
    // Over a connection that does not answer a ROLLBACK would be waited for as long again; closing it is one.
    if (error instanceof Error && classifySqlFault(error) === 'connection') broken = error;
    else
      await client.query('ROLLBACK').catch((cause: unknown) => {
        broken = cause instanceof Error ? cause : new Error(String(cause));
      });
    throw error;
  } finally {
    client.off('error', onError);
    client.release(broken);
  }
}
