import { sha256Hex } from '@spine/core';

/**
 * How long the run of an occurrence is held back: 0 to under `seconds`, in milliseconds. A hash of both, so that
 * deciding again gives the same delay and schedules with one expression are spread.
 */
export function jitterMs(scheduleId: string, fireAt: Date, seconds: number): number {
  if (seconds <= 0) return 0;
  const fraction = parseInt(sha256Hex(`${scheduleId} ${fireAt.toISOString()}`).slice(0, 12), 16) / 2 ** 48;
  return Math.floor(fraction * seconds * 1_000);
}
