/**
 * Setting a run aside and taking it up again.
 *
 * 1. A paused run is neither hinted nor claimed: no index and no statement that looks for work knows its state. 2. A
 * running run is taken from its worker like a hand-back: epoch raised, no attempt charged. 3. Its time to live and its
 * deadline go on.
 */
import type { RunStatus } from '@spine/core';
import { notifyWorkers } from '../control/channel.ts';
import type { Queryable } from '../sql/pool.ts';

export type PauseOutcome =
  | { readonly type: 'paused'; readonly from: RunStatus }
  | { readonly type: 'refused'; readonly status: RunStatus }
  | { readonly type: 'not_found' };

export type ResumeOutcome =
  | { readonly type: 'resumed'; readonly status: 'pending' | 'queued' }
  | { readonly type: 'refused'; readonly status: RunStatus }
  | { readonly type: 'not_found' };

const PAUSE_SQL = `WITH o AS (
  SELECT id, status FROM runs WHERE id = $1::uuid AND status || '' IN ('pending', 'queued', 'running') FOR UPDATE
), u AS (
  UPDATE runs r SET status = 'paused', epoch = r.epoch + 1, attempt = r.attempt - (o.status = 'running')::int,
    dispatch_after = NULL, lease_owner = NULL, lease_expires_at = NULL, deadline_at = NULL
  FROM o WHERE r.id = o.id
  RETURNING r.id, r.epoch, o.status AS old_status
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, data, source)
  SELECT id, epoch, 'paused', jsonb_build_object('reason', $2::text, 'from', old_status), $3 FROM u
)
SELECT epoch, old_status FROM u`;

const RESUME_SQL = `WITH u AS (
  UPDATE runs r SET status = CASE WHEN r.available_at > now() THEN 'pending' ELSE 'queued' END,
    dispatch_after = GREATEST(r.available_at, now())
  WHERE r.id = $1::uuid AND r.status || '' = 'paused'
  RETURNING r.id, r.epoch, r.status
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, source) SELECT id, epoch, 'resumed', $2 FROM u
)
SELECT status FROM u`;

async function statusOf(db: Queryable, runId: string): Promise<RunStatus | null> {
  const { rows } = await db.query<{ status: RunStatus }>({
    name: 'spine_run_status',
    text: 'SELECT status FROM runs WHERE id = $1::uuid',
    values: [runId],
  });
  return rows[0]?.status ?? null;
}

/** Pauses a run that has not ended; a running handler's signal is aborted. A paused one stays paused (`refused`). */
export async function pauseRun(
  db: Queryable,
  runId: string,
  reason: string | null,
  source: string,
): Promise<PauseOutcome> {
  const { rows } = await db.query<{ epoch: number; old_status: RunStatus }>({
    name: 'spine_pause',
    text: PAUSE_SQL,
    values: [runId, reason, source],
  });
  const row = rows[0];
  if (row === undefined) {
    const status = await statusOf(db, runId);
    return status === null ? { type: 'not_found' } : { type: 'refused', status };
  }
  if (row.old_status === 'running') {
    // The worker's next heartbeat says the same.
    await notifyWorkers(db, [{ type: 'taken', runId, epoch: row.epoch, reason: 'paused' }]).catch(
      () => undefined,
    );
  }
  return { type: 'paused', from: row.old_status };
}

/** Lets a paused run go on; it is due for a hint as soon as it is available. */
export async function resumeRun(db: Queryable, runId: string, source: string): Promise<ResumeOutcome> {
  const { rows } = await db.query<{ status: 'pending' | 'queued' }>({
    name: 'spine_resume',
    text: RESUME_SQL,
    values: [runId, source],
  });
  const row = rows[0];
  if (row !== undefined) return { type: 'resumed', status: row.status };
  const status = await statusOf(db, runId);
  return status === null ? { type: 'not_found' } : { type: 'refused', status };
}
