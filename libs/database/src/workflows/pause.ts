/**
 * Pausing a run with what its workflow has under way, and letting all of it go on.
 *
 * 1. The run first, then what it has started, level by level, in one transaction: an advance under way is waited for, and the
 * next statement sees the children that it has started. 2. Steps that a worker has begun end by themselves; those that wait
 * for one wait on, and workflows are paused with theirs. What nobody waits for (`detached`) is left alone. 3. What was paused
 * with its workflow says so in its event (`with`): only that is resumed with it, not what somebody paused by itself.
 */
import type { RunKind, RunStatus } from '@spine/core';
import { notifyWorkers } from '../control/channel.ts';
import type { ControlMessage } from '../control/channel.ts';
import { pauseRun, resumeRun } from '../runs/pause.ts';
import type { PauseOutcome, ResumeOutcome } from '../runs/pause.ts';
import { plainArray } from '../sql/arrays.ts';
import { classifySqlFault } from '../sql/errors.ts';
import { asQueryable } from '../sql/kysely.ts';
import type { Db } from '../sql/kysely.ts';
import type { Queryable } from '../sql/pool.ts';

export const PAUSE_CHILDREN_SQL = `WITH o AS (
  SELECT r.id, r.status, s.workflow_run_id AS parent FROM workflow_steps s JOIN runs r ON r.id = s.run_id
  WHERE s.workflow_run_id = ANY ($1::uuid[]) AND s.kind <> 'detached'
    AND (r.status || '' IN ('pending', 'queued') OR (r.kind = 'workflow' AND r.status || '' = 'running'))
  ORDER BY r.id FOR UPDATE OF r
), u AS (
  UPDATE runs r SET status = 'paused', epoch = r.epoch + 1, attempt = r.attempt - (o.status = 'running')::int,
    dispatch_after = NULL, lease_owner = NULL, lease_expires_at = NULL, deadline_at = NULL
  FROM o WHERE r.id = o.id
  RETURNING r.id, r.kind, r.epoch, o.status AS old_status, o.parent
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, data, source)
  SELECT id, epoch, 'paused', jsonb_build_object('reason', 'run ' || parent || ' was paused', 'from', old_status, 'with', parent), $2
  FROM u
)
SELECT id, kind, epoch, old_status FROM u`;

export const RESUME_CHILDREN_SQL = `WITH o AS (
  SELECT r.id FROM workflow_steps s JOIN runs r ON r.id = s.run_id
  WHERE s.workflow_run_id = ANY ($1::uuid[]) AND s.kind <> 'detached' AND r.status || '' = 'paused'
    AND (SELECT e.data->>'with' FROM run_events e WHERE e.run_id = r.id AND e.event_type = 'paused'
      ORDER BY e.event_id DESC LIMIT 1) = s.workflow_run_id::text
  ORDER BY r.id FOR UPDATE OF r
), u AS (
  UPDATE runs r SET status = CASE WHEN r.available_at > now() THEN 'pending' ELSE 'queued' END,
    dispatch_after = GREATEST(r.available_at, now())
  FROM o WHERE r.id = o.id
  RETURNING r.id, r.kind, r.epoch
), e AS (
  INSERT INTO run_events (run_id, epoch, event_type, source) SELECT id, epoch, 'resumed', $2 FROM u
)
SELECT id, kind FROM u`;

/** Deadlocks with a settlement of the same runs are tried again this often. */
const TRIES = 5;

/** Pauses a run that has not ended, and what its workflow has started and waits for. */
export function pauseWithChildren(
  db: Db,
  runId: string,
  reason: string | null,
  source: string,
): Promise<PauseOutcome> {
  return settled(db, async (on) => {
    const outcome = await pauseRun(on, runId, reason, source);
    if (outcome.type !== 'paused') return outcome;
    const messages: ControlMessage[] = [];
    await byLevel(runId, async (level) => {
      const { rows } = await on.query<{ id: string; kind: RunKind; epoch: number; old_status: RunStatus }>({
        text: PAUSE_CHILDREN_SQL,
        values: [plainArray(level), source],
      });
      for (const { id, epoch, old_status: from } of rows) {
        if (from === 'running') messages.push({ type: 'taken', runId: id, epoch, reason: 'paused' });
      }
      return rows;
    });
    await notifyWorkers(on, messages);
    return outcome;
  });
}

/** Lets a paused run go on, and what was paused with it. */
export function resumeWithChildren(db: Db, runId: string, source: string): Promise<ResumeOutcome> {
  return settled(db, (on) => resumeWithChildrenIn(on, runId, source));
}

/** The same as a part of the transaction of `on`. */
export async function resumeWithChildrenIn(
  on: Queryable,
  runId: string,
  source: string,
): Promise<ResumeOutcome> {
  const outcome = await resumeRun(on, runId, source);
  if (outcome.type !== 'resumed') return outcome;
  await byLevel(runId, async (level) => {
    const { rows } = await on.query<{ id: string; kind: RunKind }>({
      text: RESUME_CHILDREN_SQL,
      values: [plainArray(level), source],
    });
    return rows;
  });
  return outcome;
}

async function byLevel(
  runId: string,
  next: (level: readonly string[]) => Promise<readonly { readonly id: string; readonly kind: RunKind }[]>,
): Promise<void> {
  for (let level = [runId]; level.length > 0;) {
    const rows = await next(level);
    level = rows.filter(({ kind }) => kind === 'workflow').map(({ id }) => id);
  }
}

async function settled<T>(db: Db, work: (on: Queryable) => Promise<T>): Promise<T> {
  for (let tried = 1; ; tried += 1) {
    try {
      return await db.transaction().execute((trx) => work(asQueryable(trx)));
    } catch (error) {
      if (classifySqlFault(error) !== 'conflict' || tried === TRIES) throw error;
    }
  }
}
