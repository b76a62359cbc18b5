/** Waiting that a signal ends. */

export interface Deadline {
  readonly signal: AbortSignal;
  /** Whether the time was up, rather than the caller's signal. */
  isOver(): boolean;
  /** Starts the time anew. */
  extend(): void;
  /** Ends the timer and lets go of the caller's signal. */
  clear(): void;
}

/** A signal that fires with the caller's, with the caller's reason, or after `timeoutMs`. */
export function deadline(timeoutMs: number, signal: AbortSignal | undefined): Deadline {
  const controller = new AbortController();
  let over = false;
  const expire = (): void => {
    over = true;
    controller.abort();
  };
  const pass = (): void => controller.abort(signal?.reason);
  let timer = setTimeout(expire, timeoutMs);
  if (signal?.aborted === true) pass();
  else signal?.addEventListener('abort', pass, { once: true });
  return {
    signal: controller.signal,
    isOver: () => over,
    extend: () => {
      clearTimeout(timer);
      timer = setTimeout(expire, timeoutMs);
    },
    clear: () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', pass);
    },
  };
}

/** @throws the signal's reason */
export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const stop = (): void => {
      clearTimeout(timer);
      reject(signal?.reason as Error);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}
