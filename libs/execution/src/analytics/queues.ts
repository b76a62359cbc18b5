/** Lanes as an operator sees them: what waits, what runs, who serves them, and whether they are paused. Pure. */
import type { Backlog, LaneState, WorkerRecord } from '@spine/database';

export interface QueueState {
  readonly lane: string;
  /** Pending and queued runs, counted up to 10,000. */
  readonly waiting: number;
  readonly waitingIsCapped: boolean;
  /** Of the waiting ones, those that could start now. */
  readonly due: number;
  readonly running: number;
  /** Milliseconds that the longest waiting due run of those counted has been due; null for none. */
  readonly oldestDueAgeMs: number | null;
  /** Live workers that serve the lane. */
  readonly workers: number;
  /** Their room for runs, shared with the other lanes they serve. */
  readonly slots: number;
  /** What an operator has said; null while the lane runs. */
  readonly paused: { readonly at: Date; readonly by: string | null; readonly note: string | null } | null;
}

/** Every lane that has work, a live worker or a pause, by name. */
export function queueStates(
  { lanes, now }: Backlog,
  workers: readonly WorkerRecord[],
  paused: readonly LaneState[],
): QueueState[] {
  const live = workers.filter((worker) => worker.isLive);
  const backlogs = new Map(lanes.map((lane) => [lane.lane, lane]));
  const pauses = new Map(paused.map((lane) => [lane.lane, lane]));
  const names = new Set([...backlogs.keys(), ...pauses.keys(), ...live.flatMap((worker) => worker.lanes)]);
  return [...names].sort().map((lane): QueueState => {
    const backlog = backlogs.get(lane);
    const pause = pauses.get(lane);
    const serving = live.filter((worker) => worker.lanes.includes(lane));
    return {
      lane,
      waiting: backlog?.waiting ?? 0,
      waitingIsCapped: backlog?.waitingIsCapped ?? false,
      due: backlog?.due ?? 0,
      running: backlog?.running ?? 0,
      oldestDueAgeMs:
        backlog === undefined || backlog.oldestDueAt === null
          ? null
          : now.getTime() - backlog.oldestDueAt.getTime(),
      workers: serving.length,
      slots: serving.reduce((sum, worker) => sum + worker.slots, 0),
      paused:
        pause === undefined || pause.pausedAt === null
          ? null
          : { at: pause.pausedAt, by: pause.pausedBy, note: pause.note },
    };
  });
}
