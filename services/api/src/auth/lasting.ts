/**
 * Answers that go on for long end with the key they were asked for with: revoked, rotated away or expired, it opens nothing,
 * and what it has opened ends too.
 */
import type { FastifyRequest } from 'fastify';

/** How often it is looked whether a key is still good. What is known of it may be older: see KEY_TTL_MS. */
const LOOK_MS = 1_000;

/** Gone with their requests. */
const checks = new WeakMap<FastifyRequest, () => Promise<boolean>>();

/** Done by the guard alone. */
export function askAgainWith(request: FastifyRequest, opensStill: () => Promise<boolean>): void {
  checks.set(request, opensStill);
}

/** Aborts `over` when the key of the request opens nothing any more; looks until then, or until somebody else aborts it. */
export function endWithKey(request: FastifyRequest, over: AbortController): void {
  const opensStill = checks.get(request);
  // In local mode there is no key.
  if (opensStill === undefined || over.signal.aborted) return;
  const timer = setInterval(() => {
    void opensStill().then((opens) => {
      if (!opens) over.abort();
    });
  }, LOOK_MS);
  timer.unref();
  over.signal.addEventListener('abort', () => clearInterval(timer), { once: true });
}
