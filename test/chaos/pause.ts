import { setTimeout as sleep } from 'node:timers/promises';

/** Waits, at most until the signal; never rejects. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Looks every few milliseconds until the condition holds; false when the signal came first. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  signal: AbortSignal,
  everyMs = 10,
): Promise<boolean> {
  while (!signal.aborted) {
    if (await condition()) return true;
    await pause(everyMs, signal);
  }
  return false;
}
