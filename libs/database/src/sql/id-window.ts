/** Windows of time over tables whose ids are UUID v7: a range of the primary key in place of an index by time. */
import { uuidV7LowerBound } from '@spine/core';

/** How far the clock of a process, which makes the id, may differ from the database's, which stamps created_at. */
const CLOCK_SLACK_MS = 10 * 60_000;

/** No row that was created at `since` or later has a smaller id. Compare created_at as well. */
export function lowestIdSince(since: Date): string {
  return uuidV7LowerBound(new Date(Math.max(0, since.getTime() - CLOCK_SLACK_MS)));
}

/** Every row that was created before `until` has a smaller id. Compare created_at as well. */
export function idBoundBefore(until: Date): string {
  return uuidV7LowerBound(new Date(until.getTime() + CLOCK_SLACK_MS));
}
