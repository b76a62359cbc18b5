/** The records of workflows' states, each for itself: an advance reads and writes those that it is about. */
import { jsonArray, plainArray, textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';

export interface StateRecord {
  readonly part: 'step' | 'item';
  readonly key: string;
  /** JSON. */
  readonly value: unknown;
}

/** Of a workflow run. */
export type OfRun<T> = T & { readonly runId: string };

type RecordName = Pick<StateRecord, 'part' | 'key'>;

interface StateRow extends StateRecord {
  run_id: string;
}

/** Those of the records that exist. */
export async function readStateRecords(
  trx: DbTransaction,
  names: readonly OfRun<RecordName>[],
): Promise<OfRun<StateRecord>[]> {
  if (names.length === 0) return [];
  const { rows } = await asQueryable(trx).query<StateRow>({
    text: `SELECT s.run_id, s.part, s.key, s.value FROM unnest($1::uuid[], $2::text[], $3::text[]) AS t(run_id, part, key)
JOIN workflow_state s ON s.run_id = t.run_id AND s.part = t.part AND s.key = t.key`,
    values: [
      plainArray(names.map(({ runId }) => runId)),
      textArray(names.map(({ part }) => part)),
      textArray(names.map(({ key }) => key)),
    ],
  });
  return rows.map(({ run_id: runId, part, key, value }) => ({ runId, part, key, value }));
}

export async function writeStateRecords(
  trx: DbTransaction,
  records: readonly OfRun<StateRecord>[],
): Promise<void> {
  if (records.length === 0) return;
  await asQueryable(trx).query({
    text: `INSERT INTO workflow_state (run_id, part, key, value)
SELECT t.run_id, t.part, t.key, t.value::jsonb FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) AS t(run_id, part, key, value)
ON CONFLICT (run_id, part, key) DO UPDATE SET value = EXCLUDED.value`,
    values: [
      plainArray(records.map(({ runId }) => runId)),
      textArray(records.map(({ part }) => part)),
      textArray(records.map(({ key }) => key)),
      jsonArray(records.map(({ value }) => value)),
    ],
  });
}
