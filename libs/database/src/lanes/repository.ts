/** What operators have said about lanes. Claims read this table, so that a pause holds whatever the queue delivers. */
import { notifyWorkers } from '../control/channel.ts';
import type { Queryable } from '../sql/pool.ts';

export interface LaneState {
  readonly lane: string;
  readonly pausedAt: Date | null;
  readonly pausedBy: string | null;
  readonly note: string | null;
}

interface LaneRow {
  lane: string;
  paused_at: Date | null;
  paused_by: string | null;
  note: string | null;
}

function toLaneState(row: LaneRow): LaneState {
  return { lane: row.lane, pausedAt: row.paused_at, pausedBy: row.paused_by, note: row.note };
}

/**
 * Pauses a lane: nothing of it is claimed until it is resumed; what runs goes on. Answers false when it was paused
 * before, which stays as it is.
 */
export async function pauseLane(
  db: Queryable,
  lane: string,
  by: string,
  note: string | null,
): Promise<boolean> {
  const { rows } = await db.query<{ lane: string }>({
    text: `INSERT INTO lanes (lane, paused_at, paused_by, note) VALUES ($1, now(), $2, $3)
ON CONFLICT (lane) DO UPDATE SET paused_at = now(), paused_by = $2, note = $3, updated_at = now()
  WHERE lanes.paused_at IS NULL
RETURNING lane`,
    values: [lane, by, note],
  });
  if (rows.length > 0) await notifyWorkers(db, [{ type: 'lanes' }]).catch(() => undefined);
  return rows.length > 0;
}

/** Resumes a lane; false when it was not paused. */
export async function resumeLane(db: Queryable, lane: string): Promise<boolean> {
  const { rows } = await db.query<{ lane: string }>({
    text: `UPDATE lanes SET paused_at = NULL, paused_by = NULL, note = NULL, updated_at = now()
WHERE lane = $1 AND paused_at IS NOT NULL RETURNING lane`,
    values: [lane],
  });
  if (rows.length > 0) await notifyWorkers(db, [{ type: 'lanes' }]).catch(() => undefined);
  return rows.length > 0;
}

/** The lanes that are paused. */
export async function pausedLanes(db: Queryable): Promise<LaneState[]> {
  const { rows } = await db.query<LaneRow>({
    name: 'spine_paused_lanes',
    text: 'SELECT lane, paused_at, paused_by, note FROM lanes WHERE paused_at IS NOT NULL ORDER BY lane',
    values: [],
  });
  return rows.map(toLaneState);
}

/** What operators have said about one lane; null when they have said nothing. */
export async function laneState(db: Queryable, lane: string): Promise<LaneState | null> {
  const { rows } = await db.query<LaneRow>({
    name: 'spine_lane_state',
    text: 'SELECT lane, paused_at, paused_by, note FROM lanes WHERE lane = $1',
    values: [lane],
  });
  const row = rows[0];
  return row === undefined ? null : toLaneState(row);
}
