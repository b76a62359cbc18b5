/** Over how long the runs of one lost worker are spread, for each worker a run has lost. */
const SPREAD_MS = 4_000;

/**
 * How long the hint of a run waits that has lost workers. Runs that lost one together may have the run among them that
 * ended it; started together again, they would lose the next one with it, and after a third be taken for poison
 * themselves.
 *
 * @param random in [0, 1)
 */
export function spreadMs(crashCount: number, random: number): number {
  return Math.round(crashCount * SPREAD_MS * random);
}
