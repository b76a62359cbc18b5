/** When an ended child is started again. */

const FIRST_MS = 1_000;
const LONGEST_MS = 30_000;
/** A child that lived this long had started well: its next end is a new incident. */
const STEADY_MS = 60_000;

/**
 * The wait before the next start.
 * @param previousMs the wait before the start that just ended; undefined when it was the first
 * @param livedMs how long the child lived
 */
export function nextBackoff(previousMs: number | undefined, livedMs: number): number {
  if (previousMs === undefined || livedMs >= STEADY_MS) return FIRST_MS;
  return Math.min(previousMs * 2, LONGEST_MS);
}
