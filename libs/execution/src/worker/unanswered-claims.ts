/**
 * What an unanswered claim has brought: runs whose row names this worker and that nobody executes.
 *
 * 1. Postgres is asked twice: a run of this worker that ended between the first look and its answer is no longer held
 * here, but is gone from the second look. 2. Of several unanswered claims of one run the first to come here gets it. 3. A
 * claim whose answer comes after its run was found here does not get it either.
 */
import { runsHeldBy } from '@spine/database';
import type { ClaimedRun, Queryable } from '@spine/database';

export interface UnansweredClaimsOptions {
  readonly pool: Queryable;
  readonly workerId: string;
  /** Whether this worker executes the run already. */
  readonly isHeld: (runId: string) => boolean;
}

export class UnansweredClaims {
  readonly #options: UnansweredClaimsOptions;
  /** Runs found so, with their epoch: few, over the life of a worker. */
  readonly #found = new Map<string, number>();

  constructor(options: UnansweredClaimsOptions) {
    this.#options = options;
  }

  /** Those of `runIds` that are this worker's and still to be executed. */
  async find(runIds: readonly string[]): Promise<readonly ClaimedRun[]> {
    const { pool, workerId } = this.#options;
    const seen = this.#unknown(await runsHeldBy(pool, runIds, workerId));
    if (seen.length === 0) return [];
    const ids = seen.map((run) => run.runId);
    const found = this.#unknown(await runsHeldBy(pool, ids, workerId));
    for (const run of found) this.#found.set(run.runId, run.epoch);
    return found;
  }

  /** Of runs that a claim has answered with, those that were not found before its answer came. */
  others(runs: readonly ClaimedRun[]): readonly ClaimedRun[] {
    if (this.#found.size === 0) return runs;
    return runs.filter((run) => this.#found.get(run.runId) !== run.epoch);
  }

  #unknown(runs: readonly ClaimedRun[]): ClaimedRun[] {
    return runs.filter((run) => !this.#options.isHeld(run.runId) && this.#found.get(run.runId) !== run.epoch);
  }
}
