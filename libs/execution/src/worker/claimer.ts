/** Claims of one worker, by group commit: the ids of several hints travel in one statement. */
import { claimOverdueRuns, claimRuns, GroupCommit, runsHeldBy } from '@spine/database';
import type { ClaimedRun, ClaimOptions, Queryable } from '@spine/database';
import type { Metrics } from '@spine/observability';

export interface ClaimerOptions extends ClaimOptions {
  readonly pool: Queryable;
  readonly metrics: Metrics;
  /** Whether this worker executes the run already. */
  readonly isHeld: (runId: string) => boolean;
}

export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #claims: GroupCommit<string, ClaimedRun | null>;

  constructor(options: ClaimerOptions) {
    this.#options = options;
    this.#claims = new GroupCommit<string, ClaimedRun | null>({
      flush: (runIds, info) => this.#claim(runIds, info.ambiguous),
      onFlush: options.metrics.commit('claim'),
    });
  }

  /** The run, now held by this worker; null when it is gone: claimed by another, finished, not due, not known here. */
  claim(runId: string): Promise<ClaimedRun | null> {
    return this.#claims.submit(runId);
  }

  /** Up to `limit` runs of the lanes that no hint has brought to a worker in time. */
  async claimOverdue(lanes: readonly string[], limit: number): Promise<readonly ClaimedRun[]> {
    const claimed = await claimOverdueRuns(this.#options.pool, lanes, limit, this.#options);
    this.#options.metrics.claimed.inc(claimed.length);
    return claimed;
  }

  /** Resolves when no claim is under way. */
  drain(): Promise<void> {
    return this.#claims.drain();
  }

  async #claim(runIds: readonly string[], ambiguous: boolean): Promise<readonly (ClaimedRun | null)[]> {
    const { pool, metrics, isHeld, workerId } = this.#options;
    const claimed = new Map<string, ClaimedRun>();
    for (const run of await claimRuns(pool, runIds, this.#options)) claimed.set(run.runId, run);
    if (ambiguous) {
      // The first, unanswered statement may have claimed some: the row names this worker, and nobody executes it.
      for (const run of await runsHeldBy(pool, runIds, workerId)) {
        if (!isHeld(run.runId)) claimed.set(run.runId, run);
      }
    }
    metrics.claimed.inc(claimed.size);
    return runIds.map((runId) => {
      const run = claimed.get(runId) ?? null;
      // Two hints may name one run; it is executed once.
      claimed.delete(runId);
      return run;
    });
  }
}
