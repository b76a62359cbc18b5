/**
 * Settling a run inside the transaction that publishes what it made.
 *
 * 1. The settlement is the guarded one of settle.ts: refused unless the run is `running` at this epoch. A refused one
 *    must not be committed with anything else.
 * 2. Unlike there, a run that this very epoch has settled before counts as refused: that was another transaction, and
 *    this one would write everything a second time.
 * 3. After a COMMIT without an answer the run's row says what came of it. It is read behind its lock, so that a
 *    transaction still on its way is waited for and not taken for one that failed.
 */
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';
import { RUN_COLUMNS, toRunRecord } from './record.ts';
import type { RunRecord, RunRow } from './record.ts';
import { settleForm } from './settle-sql.ts';
import type { SettleInfo, SettleItem, SettleOutcome } from './settle.ts';

export interface TransactionLimits {
  /** How long a statement waits for a lock. */
  readonly lockTimeoutMs: number;
  /** How long nothing may be asked before Postgres ends the transaction, and with it the locks. */
  readonly idleTimeoutMs: number;
}

/** From here on in this transaction. */
export async function limitTransaction(
  trx: DbTransaction,
  { lockTimeoutMs, idleTimeoutMs }: TransactionLimits,
): Promise<void> {
  await asQueryable(trx).query({
    text: `SELECT set_config('lock_timeout', $1, true), set_config('idle_in_transaction_session_timeout', $2, true)`,
    values: [String(Math.round(lockTimeoutMs)), String(Math.round(idleTimeoutMs))],
  });
}

/** Settles one attempt in `trx`; the run's row stays locked until that ends. */
export async function settleInTransaction(
  trx: DbTransaction,
  item: SettleItem,
  info: SettleInfo,
): Promise<SettleOutcome> {
  const fenced = await settleAllInTransaction(trx, [item], info);
  return fenced.length === 0 ? 'settled' : 'fenced';
}

/** Settles attempts of different runs in `trx`. @returns the runs whose settlement was refused. */
export async function settleAllInTransaction(
  trx: DbTransaction,
  items: readonly SettleItem[],
  info: SettleInfo,
): Promise<readonly string[]> {
  if (items.length === 0) return [];
  const form = settleForm(items);
  const { rows } = await asQueryable(trx).query<{ id: string }>({
    text: form.sql,
    values: form.values(items, info),
  });
  return rows.map(({ id }) => id);
}

/** Whether the attempt at `epoch` has completed the run. Waits for a transaction that holds the row. */
export async function isCompletedAt(db: Queryable, runId: string, epoch: number): Promise<boolean> {
  const { rows } = await db.query<{ completed: boolean }>({
    name: 'spine_completed_at',
    text: `SELECT status = 'completed' AND finished_epoch = $2::bigint AS completed FROM runs WHERE id = $1::uuid FOR SHARE`,
    values: [runId, epoch],
  });
  return rows[0]?.completed === true;
}

const WITH_KEY_SQL = `WITH o AS (SELECT (SELECT namespace FROM runs WHERE id = $2::uuid) AS namespace)
SELECT ${RUN_COLUMNS.join(', ')} FROM runs
WHERE idempotency_key = $1 AND namespace IS NULL AND (SELECT namespace FROM o) IS NULL
UNION ALL
SELECT ${RUN_COLUMNS.join(', ')} FROM runs
WHERE idempotency_key = $1 AND namespace IS NOT NULL AND namespace = (SELECT namespace FROM o)`;

/**
 * The run that has an idempotency key, as far as it has committed; null for none.
 * @param originRunId keys are unique within the namespace of this run; null for those without one.
 */
export async function runWithKey(
  db: Queryable,
  idempotencyKey: string,
  originRunId: string | null = null,
): Promise<RunRecord | null> {
  const { rows } = await db.query<RunRow>({ text: WITH_KEY_SQL, values: [idempotencyKey, originRunId] });
  const [row] = rows;
  return row === undefined ? null : toRunRecord(row);
}
