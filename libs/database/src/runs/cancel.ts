import type { RunStatus } from '@spine/core';
import type { Queryable } from '../sql/pool.ts';

export type CancelOutcome =
  | { readonly type: 'cancelled'; readonly from: RunStatus }
  | { readonly type: 'terminal'; readonly status: RunStatus }
  | { readonly type: 'not_found' };

const CANCEL_SQL = `WITH o AS (
  SELECT id, status FROM runs WHERE id = $1::uuid AND status || '' IN ('pending', 'queued', 'running') FOR UPDATE
), u AS (
  UPDATE runs r SET status = 'cancelled', epoch = r.epoch + 1, completed_at = now(), dispatch_after = NULL,
    lease_owner = NULL, lease_expires_at = NULL, deadline_at = NULL
  FROM o WHERE r.id = o.id
  RETURNING r.id, r.epoch, o.status AS old_status
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, terminal, data, source)
  SELECT id, epoch, 'cancelled', true, jsonb_build_object('reason', $2::text, 'from', old_status), $3 FROM u
)
SELECT old_status FROM u`;

/**
 * Cancels a run that is not finished. A running handler loses its fence at once and its signal with its worker's next
 * heartbeat.
 */
export async function cancelRun(
  db: Queryable,
  runId: string,
  reason: string | null,
  source: string,
): Promise<CancelOutcome> {
  const { rows } = await db.query<{ old_status: RunStatus }>({
    name: 'spine_cancel',
    text: CANCEL_SQL,
    values: [runId, reason, source],
  });
  const row = rows[0];
  if (row !== undefined) return { type: 'cancelled', from: row.old_status };
  const current = await db.query<{ status: RunStatus }>({
    name: 'spine_run_status',
    text: 'SELECT status FROM runs WHERE id = $1::uuid',
    values: [runId],
  });
  const found = current.rows[0];
  return found === undefined ? { type: 'not_found' } : { type: 'terminal', status: found.status };
}
