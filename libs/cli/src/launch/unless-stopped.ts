import { deferred } from './deferred.ts';

/** Rejects with the signal's reason as soon as it is aborted; `work` then goes on unheeded. */
export async function unlessStopped<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  // Both may reject, and only the first is waited for.
  work.catch(() => undefined);
  signal.throwIfAborted();
  const stop = deferred<never>();
  stop.promise.catch(() => undefined);
  const onAbort = (): void => stop.reject(signal.reason);
  signal.addEventListener('abort', onAbort);
  try {
    return await Promise.race([work, stop.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
