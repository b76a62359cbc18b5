/** Progress is kept at most this often, but for the last. Alone in its file: threads load little else. */
export const PROGRESS_INTERVAL_MS = 1_000;
