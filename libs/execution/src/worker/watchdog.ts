/**
 * Notices when this process stands still: its event loop is blocked by a handler that computes, or the machine gives it
 * no time.
 *
 * 1. It only tells: a histogram, and a warning at most every ten seconds. What follows for the leases is decided by the
 * LeaseKeeper, which does not wait for this timer. 2. Its clock is monotonic: a changed system time is no block.
 */
import type { Logger, Metrics } from '@spine/observability';

export interface LoopWatchdogOptions {
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** Default 500 ms. */
  readonly everyMs?: number;
  /** A lag from here on is worth a warning. Default 1 s. */
  readonly warnMs?: number;
}

const WARN_PAUSE_MS = 10_000;

export class LoopWatchdog {
  readonly #logger: Logger;
  readonly #metrics: Metrics;
  readonly #everyMs: number;
  readonly #warnMs: number;
  #timer: NodeJS.Timeout | null = null;
  #expectedAt = 0;
  #warnedAt = -Infinity;
  /** The longest lag since the last warning. */
  #worstMs = 0;

  constructor({ logger, metrics, everyMs = 500, warnMs = 1_000 }: LoopWatchdogOptions) {
    this.#logger = logger;
    this.#metrics = metrics;
    this.#everyMs = everyMs;
    this.#warnMs = warnMs;
  }

  start(): void {
    this.#arm();
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #arm(): void {
    this.#expectedAt = performance.now() + this.#everyMs;
    this.#timer = setTimeout(() => this.#look(), this.#everyMs);
    this.#timer.unref();
  }

  #look(): void {
    const now = performance.now();
    const lagMs = Math.max(0, now - this.#expectedAt);
    this.#metrics.loopLag.observe(lagMs / 1000);
    this.#worstMs = Math.max(this.#worstMs, lagMs);
    if (this.#worstMs >= this.#warnMs && now - this.#warnedAt >= WARN_PAUSE_MS) {
      this.#warnedAt = now;
      this.#logger.warn(
        { lag_ms: Math.round(this.#worstMs) },
        'the event loop was blocked: handlers that compute for long belong into a thread or process of their own',
      );
      this.#worstMs = 0;
    }
    this.#arm();
  }
}
