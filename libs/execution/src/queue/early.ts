/**
 * Hints that are sent while the rows of their runs are being stored. A worker that does not find such a run looks again,
 * for long enough that a row stored within {@link EARLY_TRUSTED_MS} is found; of one that took longer another hint is sent.
 */

/** Pauses before each further look, in milliseconds: a slow row is found soon after it is there, a quick one at once. */
export const EARLY_LOOKS_MS = [
  0, 1, 1, 1, 2, 2, 3, 4, 5, 7, 9, 12, 15, 20, 25, 30, 40, 50, 65, 85, 110, 140, 180, 200,
] as const;

/** Less than all looks take together. */
export const EARLY_TRUSTED_MS = 900;
