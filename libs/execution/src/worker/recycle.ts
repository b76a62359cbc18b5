/**
 * When a worker process should make room for a fresh one: it holds too much memory, has done enough runs, or was asked to.
 *
 * 1. It asks once, and ends nothing itself: whoever owns the process stops the worker, which hands back what it runs.
 * 2. Memory is looked at every second. What grows faster than that is the business of the operating system.
 */
import { assertNever, ConfigError } from '@spine/core';
import type { Logger } from '@spine/observability';

export type RecycleReason =
  /** Resident memory is over the limit. */
  | { readonly type: 'memory'; readonly rssMb: number; readonly limitMb: number }
  /** It has begun as many runs as it may. */
  | { readonly type: 'runs'; readonly begun: number; readonly limit: number }
  /** An operator asked. */
  | { readonly type: 'drain' };

export interface RecycleLimits {
  /** Resident memory in MiB; 0 for none. */
  readonly maxRssMb: number;
  /** Runs begun; 0 for none. */
  readonly maxRuns: number;
}

export interface RecycleUsage {
  readonly rssBytes: number;
  readonly begun: number;
}

const MEBIBYTE = 1024 * 1024;

/** Why the process should be replaced; null while it may go on. */
export function recycleReason(limits: RecycleLimits, usage: RecycleUsage): RecycleReason | null {
  const { maxRssMb, maxRuns } = limits;
  const rssMb = Math.ceil(usage.rssBytes / MEBIBYTE);
  if (maxRssMb > 0 && rssMb > maxRssMb) return { type: 'memory', rssMb, limitMb: maxRssMb };
  if (maxRuns > 0 && usage.begun >= maxRuns) return { type: 'runs', begun: usage.begun, limit: maxRuns };
  return null;
}

/** The reason as a person reads it. */
export function describeRecycle(reason: RecycleReason): string {
  switch (reason.type) {
    case 'memory':
      return `it uses ${reason.rssMb} MiB, more than ${reason.limitMb} MiB (SPINE_WORKER_MAX_RSS_MB)`;
    case 'runs':
      return `it has begun ${reason.begun} runs of ${reason.limit} (SPINE_WORKER_MAX_RUNS)`;
    case 'drain':
      return 'it was asked to';
    default:
      return assertNever(reason);
  }
}

export interface RecyclerOptions extends RecycleLimits {
  readonly logger: Logger;
  /** Runs begun so far. */
  readonly begun: () => number;
  /** Default: of this process. */
  readonly rssBytes?: () => number;
  /** Default 1 s. */
  readonly everyMs?: number;
}

export class Recycler {
  readonly #options: RecyclerOptions;
  #timer: NodeJS.Timeout | null = null;
  #resolve: (reason: RecycleReason) => void = () => undefined;
  #asked = false;

  /** Resolves when the process should be replaced. */
  readonly wanted: Promise<RecycleReason> = new Promise((resolve) => {
    this.#resolve = resolve;
  });

  constructor(options: RecyclerOptions) {
    this.#options = options;
  }

  /** @throws ConfigError when the process is over its memory limit before it has done anything. */
  start(): void {
    const { maxRssMb, maxRuns, everyMs = 1_000 } = this.#options;
    if (maxRssMb === 0 && maxRuns === 0) return;
    const reason = this.#reason();
    if (reason?.type === 'memory') {
      throw new ConfigError(
        `SPINE_WORKER_MAX_RSS_MB: given ${maxRssMb}; this process uses ${reason.rssMb} MiB before its first run; ` +
          `allowed: well over that, or 0 for no limit`,
      );
    }
    this.#timer = setInterval(() => this.#look(), everyMs);
    this.#timer.unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  /** Asks for the process to be replaced; the first reason stays. */
  request(reason: RecycleReason): void {
    if (this.#asked) return;
    this.#asked = true;
    this.stop();
    this.#options.logger.warn(
      { reason: reason.type },
      `this worker makes room for a fresh one: ${describeRecycle(reason)}`,
    );
    this.#resolve(reason);
  }

  #reason(): RecycleReason | null {
    const { begun, rssBytes = () => process.memoryUsage.rss() } = this.#options;
    return recycleReason(this.#options, { rssBytes: rssBytes(), begun: begun() });
  }

  #look(): void {
    const reason = this.#reason();
    if (reason !== null) this.request(reason);
  }
}
