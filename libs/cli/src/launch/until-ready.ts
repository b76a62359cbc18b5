import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 100;
const TIMEOUT_MS = 60_000;
const REQUEST_TIMEOUT_MS = 5_000;

/**
 * Waits until `<url>/health/ready` answers 200.
 * @throws Error with the last answer when it does not within 60 s; the signal's reason when it is aborted.
 */
export async function untilReady(url: string, signal: AbortSignal): Promise<void> {
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    signal.throwIfAborted();
    let problem: string;
    try {
      const response = await fetch(`${url}/health/ready`, {
        signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
      });
      const body = await response.text();
      if (response.ok) return;
      problem = `${response.status} ${body.slice(0, 500)}`;
    } catch (error) {
      problem = (error as Error).message;
    }
    if (performance.now() > deadline) {
      throw new Error(`${url}/health/ready did not turn ready within ${TIMEOUT_MS / 1000} s: ${problem}`);
    }
    await delay(POLL_MS);
  }
}
