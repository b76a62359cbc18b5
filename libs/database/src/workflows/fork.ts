/**
 * Runs that begin in the middle of another.
 *
 * 1. The other run stands still while it is read ({@link holdWorkflow}): no advance commits between the look at its state and
 * the copy of its records. 2. Records are copied within the database, and belong to the new run from then on: what becomes
 * of the other one changes nothing. They go with the new run when it is deleted, also before it was handed over.
 */
import { textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';

/** Keeps a workflow run from being advanced until the transaction ends; an advance under way is waited for. */
export async function holdWorkflow(trx: DbTransaction, runId: string): Promise<void> {
  await asQueryable(trx).query({
    text: 'SELECT 1 FROM workflow_runs WHERE run_id = $1::uuid FOR SHARE',
    values: [runId],
  });
}

/** Bytes of the JSON of these steps' records. */
export async function sizeOfStepRecords(
  trx: DbTransaction,
  runId: string,
  steps: readonly string[],
): Promise<number> {
  const { rows } = await asQueryable(trx).query<{ bytes: number }>({
    text: `SELECT coalesce(sum(octet_length(s.value::text)), 0)::float8 AS bytes FROM unnest($2::text[]) AS t(key)
JOIN workflow_state s ON s.run_id = $1::uuid AND s.part = 'step' AND s.key = t.key`,
    values: [runId, textArray(steps)],
  });
  return rows[0]?.bytes ?? 0;
}

/** Gives a new run the records of these steps. */
export async function copyStepRecords(
  trx: DbTransaction,
  from: string,
  to: string,
  steps: readonly string[],
): Promise<void> {
  if (steps.length === 0) return;
  await asQueryable(trx).query({
    text: `INSERT INTO workflow_state (run_id, part, key, value)
SELECT $2::uuid, s.part, s.key, s.value FROM unnest($3::text[]) AS t(key)
JOIN workflow_state s ON s.run_id = $1::uuid AND s.part = 'step' AND s.key = t.key`,
    values: [from, to, textArray(steps)],
  });
}
