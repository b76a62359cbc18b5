/**
 * What an unanswered claim has brought: runs whose row names this worker and that nobody executes.
 *
 * 1. Postgres is asked twice: a run of this worker that ended between the first look and its answer is no longer held
 * here, but is gone from the second look. 2. Of several unanswered claims of one run the first to come here gets it. 3. A
 * claim whose answer comes after its run was found here does not get it either. 4. What a claim is answered with during a
 * look is not found by it, though it may have ended by then.
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
  /** Runs that claims were answered with during the looks under way, with their epoch. */
  readonly #answered = new Map<string, number>();
  #looks = 0;

  constructor(options: UnansweredClaimsOptions) {
    this.#options = options;
  }

  /**
   * Those of `runIds` that are this worker's and still to be executed, which is up to the caller from here on.
   * @param epoch those of another are somebody else's. Default: of any.
   */
  async find(runIds: readonly string[], epoch?: number): Promise<readonly ClaimedRun[]> {
    this.#looks += 1;
    try {
      return await this.#look(runIds, epoch);
    } finally {
      this.#looks -= 1;
      if (this.#looks === 0) this.#answered.clear();
    }
  }

  async #look(runIds: readonly string[], epoch: number | undefined): Promise<readonly ClaimedRun[]> {
    const { pool, workerId } = this.#options;
    const isAsked = (run: ClaimedRun): boolean => epoch === undefined || run.epoch === epoch;
    const seen = this.#unknown(await runsHeldBy(pool, runIds, workerId)).filter(isAsked);
    if (seen.length === 0) return [];
    const ids = seen.map((run) => run.runId);
    const found = this.#unknown(await runsHeldBy(pool, ids, workerId)).filter(isAsked);
    for (const run of found) this.#found.set(run.runId, run.epoch);
    return found;
  }

  /**
   * Runs to be executed after a claim, by id. @param claimed what it has answered with. @param unanswered of which it may
   * have claimed more, because an answer of it was lost.
   */
  async toExecute(
    claimed: readonly ClaimedRun[],
    unanswered: readonly string[],
  ): Promise<Map<string, ClaimedRun>> {
    const found = unanswered.length === 0 ? [] : await this.find(unanswered);
    // After the look, during which somebody else may have found what was claimed here.
    return new Map([...this.others(claimed), ...found].map((run) => [run.runId, run]));
  }

  /** Of runs that a claim has answered with, those that were not found before its answer came. */
  others(runs: readonly ClaimedRun[]): readonly ClaimedRun[] {
    const others =
      this.#found.size === 0 ? runs : runs.filter((run) => this.#found.get(run.runId) !== run.epoch);
    if (this.#looks > 0) for (const { runId, epoch } of others) this.#answered.set(runId, epoch);
    return others;
  }

  #unknown(runs: readonly ClaimedRun[]): ClaimedRun[] {
    return runs.filter(
      ({ runId, epoch }) =>
        !this.#options.isHeld(runId) &&
        this.#found.get(runId) !== epoch &&
        this.#answered.get(runId) !== epoch,
    );
  }
}
