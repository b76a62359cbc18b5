/** Whole seconds from an instant to now, both of one clock; 0 for what is still to come. */
export function secondsSince(instant: Date, now: Date): number {
  return Math.max(0, Math.floor((now.getTime() - instant.getTime()) / 1_000));
}
