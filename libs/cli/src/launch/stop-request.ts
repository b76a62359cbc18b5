/**
 * When to stop. One press of Ctrl-C arrives up to three times (from the terminal, from npm, from the bootstrap), so
 * signals that come within a second of the first count as the same one; a later one asks to stop by force.
 */
const SAME_PRESS_MS = 1_000;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

export interface StopRequest {
  /** Aborted by the first request. */
  readonly signal: AbortSignal;
  /** Why, once it was requested: a signal's name or `parent gone`. */
  readonly reason: string | undefined;
  /** Called once, at the second request. */
  onForce: () => void;
  /** As if a signal had come. */
  request(reason: string): void;
}

/** Decides about requests to stop by their times alone. */
export function createStopRequest(now: () => number = () => performance.now()): StopRequest {
  const controller = new AbortController();
  let firstAt: number | undefined;
  let forced = false;
  const stop: { reason: string | undefined } & Omit<StopRequest, 'reason'> = {
    signal: controller.signal,
    reason: undefined,
    onForce: () => undefined,
    request(reason) {
      if (firstAt === undefined) {
        firstAt = now();
        stop.reason = reason;
        controller.abort(new StopRequested(reason));
      } else if (!forced && now() - firstAt >= SAME_PRESS_MS) {
        forced = true;
        stop.onForce();
      }
    },
  };
  return stop;
}

/** Why a start did not come to its end: somebody asked to stop. Not a failure. */
export class StopRequested extends Error {
  override readonly name = 'StopRequested';
}

/** Listens to the signals of this process, and to the end of the process that started it. */
export function listenForStop(): StopRequest {
  const stop = createStopRequest();
  for (const name of SIGNALS) process.on(name, () => stop.request(name));
  // The bootstrap holds the other end of this channel: it closes when that is killed.
  if (process.connected) process.once('disconnect', () => stop.request('parent gone'));
  return stop;
}
