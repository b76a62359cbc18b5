/** When an ended child is started again. */

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** A child that lived this long had started well: its next end is a new incident. */
const STEADY_MS = 60_000;
/** A child that asks for a fresh one sooner than this would ask for ever: its limit is too low to do any work under. */
const WORTHWHILE_MS = 10_000;

/**
 * The wait before the next start.
 * @param previousMs the wait before the start that just ended; undefined when it was the first
 * @param livedMs how long the child lived
 * @param replace whether it ended because it wants a fresh one in its place; then there is none after a worthwhile life
 */
export function nextBackoff(previousMs: number | undefined, livedMs: number, replace = false): number {
  if (replace && livedMs >= WORTHWHILE_MS) return 0;
  if (previousMs === undefined || previousMs === 0 || livedMs >= STEADY_MS) return FIRST_MS;
  return Math.min(previousMs * 2, LONGEST_MS);
}
