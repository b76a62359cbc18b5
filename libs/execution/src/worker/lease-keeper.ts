/**
 * The runs a worker holds, and the heartbeat that keeps them.
 *
 * One statement extends all leases. A run that is missing from its answer was taken away (reaped, cancelled), and its
 * attempt is interrupted at once.
 */
import { heartbeat } from '@spine/database';
import type { Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { Attempt } from './attempt.ts';
import type { AbortReason } from './context.ts';

export interface LeaseKeeperOptions {
  readonly pool: Queryable;
  readonly logger: Logger;
  readonly workerId: string;
  readonly leaseMs: number;
}

const MAX_HEARTBEAT_MS = 10_000;

/** A third of the lease; however long that is, a worker has to be heard of to count as live. */
export function heartbeatPeriodMs(leaseMs: number): number {
  return Math.min(leaseMs / 3, MAX_HEARTBEAT_MS);
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #held = new Map<string, Attempt>();

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#held.size;
  }

  has(runId: string): boolean {
    return this.#held.has(runId);
  }

  /** An older attempt of the same run has lost it, and no heartbeat would tell it any more. */
  add(attempt: Attempt): void {
    this.#held.get(attempt.run.runId)?.interrupt('lost');
    this.#held.set(attempt.run.runId, attempt);
  }

  /** Forgets an attempt; a newer one of the same run stays. */
  remove(attempt: Attempt): void {
    if (this.#held.get(attempt.run.runId) === attempt) this.#held.delete(attempt.run.runId);
  }

  interruptAll(reason: AbortReason): void {
    for (const attempt of this.#held.values()) attempt.interrupt(reason);
  }

  /** Extends every lease and the worker's own row. A failed beat is logged; the next one is due before a lease ends. */
  async beat(status: 'active' | 'draining'): Promise<void> {
    const { pool, logger, workerId, leaseMs } = this.#options;
    const attempts = [...this.#held.values()];
    try {
      const alive = await heartbeat(pool, {
        workerId,
        leaseMs,
        status,
        held: attempts.map(({ run }) => ({ runId: run.runId, epoch: run.epoch })),
      });
      for (const attempt of attempts) {
        const { runId } = attempt.run;
        // A run that settled while the statement was under way is missing too, and is no longer held.
        if (!alive.has(runId) && this.#held.get(runId) === attempt) attempt.interrupt('lost');
      }
    } catch (error) {
      logger.warn({ err: error }, 'heartbeat failed');
    }
  }
}
