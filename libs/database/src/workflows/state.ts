/** The records of a workflow's state, each for itself: an advance reads and writes those that it is about. */
import { textArray } from '../sql/arrays.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { DbTransaction } from '../sql/kysely.ts';

export interface StateRecord {
  readonly part: 'step' | 'item';
  readonly key: string;
  /** JSON. */
  readonly value: unknown;
}

type RecordName = Pick<StateRecord, 'part' | 'key'>;

/** Those of the records that exist. */
export async function readStateRecords(
  trx: DbTransaction,
  runId: string,
  names: readonly RecordName[],
): Promise<StateRecord[]> {
  if (names.length === 0) return [];
  const { rows } = await asQueryable(trx).query<{ part: StateRecord['part']; key: string; value: unknown }>({
    text: `SELECT s.part, s.key, s.value FROM unnest($2::text[], $3::text[]) AS t(part, key)
JOIN workflow_state s ON s.run_id = $1::uuid AND s.part = t.part AND s.key = t.key`,
    values: [runId, textArray(names.map(({ part }) => part)), textArray(names.map(({ key }) => key))],
  });
  return rows;
}

export async function writeStateRecords(
  trx: DbTransaction,
  runId: string,
  records: readonly StateRecord[],
): Promise<void> {
  if (records.length === 0) return;
  await asQueryable(trx).query({
    text: `INSERT INTO workflow_state (run_id, part, key, value)
SELECT $1::uuid, t.part, t.key, t.value::jsonb FROM unnest($2::text[], $3::text[], $4::text[]) AS t(part, key, value)
ON CONFLICT (run_id, part, key) DO UPDATE SET value = EXCLUDED.value`,
    values: [
      runId,
      textArray(records.map(({ part }) => part)),
      textArray(records.map(({ key }) => key)),
      textArray(records.map(({ value }) => JSON.stringify(value))),
    ],
  });
}
