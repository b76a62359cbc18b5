/** The table of params and results that are too large for their run's row. */
import { plainArray, textArray } from '../sql/arrays.ts';
import type { Queryable } from '../sql/pool.ts';

/** Which payload of a run: its params, or the result of the attempt of one epoch. */
export type PayloadSlot = 'params' | `result:${number}`;

export interface PayloadKey {
  readonly runId: string;
  readonly slot: PayloadSlot;
}

/** Stores JSON text; what was stored under the key before is replaced, so that a repeat changes nothing. */
export async function putPayload(db: Queryable, key: PayloadKey, content: string): Promise<void> {
  await db.query({
    name: 'spine_put_payload',
    text: `INSERT INTO run_payloads (run_id, slot, content) VALUES ($1, $2, $3)
ON CONFLICT (run_id, slot) DO UPDATE SET content = EXCLUDED.content, created_at = now()`,
    values: [key.runId, key.slot, content],
  });
}

/** The text stored under the key, or null. */
export async function getPayload(db: Queryable, key: PayloadKey): Promise<string | null> {
  const { rows } = await db.query<{ content: string }>({
    name: 'spine_get_payload',
    text: 'SELECT content FROM run_payloads WHERE run_id = $1 AND slot = $2',
    values: [key.runId, key.slot],
  });
  return rows[0]?.content ?? null;
}

/** Copies a payload inside the database; false when there is none. */
export async function copyPayload(db: Queryable, from: PayloadKey, to: PayloadKey): Promise<boolean> {
  const { rowCount } = await db.query({
    name: 'spine_copy_payload',
    text: `INSERT INTO run_payloads (run_id, slot, content)
SELECT $3::uuid, $4::text, content FROM run_payloads WHERE run_id = $1 AND slot = $2
ON CONFLICT (run_id, slot) DO UPDATE SET content = EXCLUDED.content, created_at = now()`,
    values: [from.runId, from.slot, to.runId, to.slot],
  });
  return rowCount === 1;
}

/** Deletes a payload; one that is not there is gone already. */
export async function deletePayload(db: Queryable, key: PayloadKey): Promise<void> {
  await db.query({
    name: 'spine_delete_payload',
    text: 'DELETE FROM run_payloads WHERE run_id = $1 AND slot = $2',
    values: [key.runId, key.slot],
  });
}

/** Keys of payloads stored longer than `minAgeMs` ago, in their order, from after `after` on. */
export async function listPayloads(
  db: Queryable,
  minAgeMs: number,
  after: PayloadKey | null,
  limit: number,
): Promise<PayloadKey[]> {
  const { rows } = await db.query<{ run_id: string; slot: PayloadSlot }>({
    name: 'spine_list_payloads',
    text: `SELECT run_id, slot FROM run_payloads
WHERE (run_id, slot) > ($1::uuid, $2::text) AND created_at < now() - $3::bigint * interval '1 millisecond'
ORDER BY run_id, slot LIMIT $4`,
    values: [after?.runId ?? '00000000-0000-0000-0000-000000000000', after?.slot ?? '', minAgeMs, limit],
  });
  return rows.map((row) => ({ runId: row.run_id, slot: row.slot }));
}

/**
 * Of these payloads of the store `scheme`, those that no run needs: their run does not exist, names other params, or has
 * ended with another result. What a run that has not ended may still name as its result is needed.
 */
export async function unneededPayloads(
  db: Queryable,
  scheme: string,
  keys: readonly PayloadKey[],
): Promise<PayloadKey[]> {
  const { rows } = await db.query<{ ord: number }>({
    name: 'spine_unneeded_payloads',
    text: `SELECT t.ord::int AS ord FROM unnest($1::uuid[], $2::text[]) WITH ORDINALITY AS t(run_id, slot, ord)
LEFT JOIN runs r ON r.id = t.run_id
WHERE NOT CASE
  WHEN r.id IS NULL THEN false
  WHEN t.slot = 'params' THEN starts_with(COALESCE(r.params_ref, ''), $3 || ':params:')
  WHEN r.completed_at IS NULL THEN true
  ELSE starts_with(COALESCE(r.result_ref, ''), $3 || ':' || t.slot || ':') END`,
    values: [plainArray(keys.map(({ runId }) => runId)), textArray(keys.map(({ slot }) => slot)), scheme],
  });
  return rows.flatMap(({ ord }) => keys[ord - 1] ?? []);
}
