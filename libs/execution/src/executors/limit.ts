/** setTimeout holds 24.8 days at the most. */
const MAX_TIMER_MS = 2_000_000_000;

/**
 * What `ended` gives, or null when `timeoutMs` are over first.
 * @throws what `ended` rejects with; the signal's reason when it is aborted.
 */
export async function orLimit<T>(
  ended: Promise<T>,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<T | null> {
  signal?.throwIfAborted();
  let timer: NodeJS.Timeout | undefined;
  let stop: () => void = () => undefined;
  const over = new Promise<null>((resolve, reject) => {
    stop = () => reject(signal?.reason as Error);
    signal?.addEventListener('abort', stop, { once: true });
    if (Number.isFinite(timeoutMs))
      timer = setTimeout(() => resolve(null), Math.min(timeoutMs, MAX_TIMER_MS));
  });
  try {
    return await Promise.race([ended, over]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}
