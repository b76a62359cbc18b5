/**
 * The workflows that a worker of this process begins.
 *
 * 1. They are begun and advanced at once; where that fails for a reason of its own, they are handed over alone, and a driver
 * advances them one by one. 2. Conflicts and broken connections are whoever's who asks: it asks again. 3. After stop()
 * nothing is advanced any more.
 */
import { beginWorkflows, classifySqlFault } from '@spine/database';
import type { BeginningRun, BeginOutcome, Queryable } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { AdvanceResults } from './advance-run.ts';
import { beginRuns } from './begin-runs.ts';
import type { BegunRuns } from './begin-runs.ts';
import type { AdvanceServices } from './carry-out.ts';

export interface BeginningsOptions {
  readonly services: AdvanceServices;
  readonly pool: Queryable;
  readonly logger: Logger;
  /** Told what was advanced. @param from when it began, by performance.now(). */
  readonly advanced: (results: AdvanceResults, from: number) => void;
}

export class Beginnings {
  readonly #options: BeginningsOptions;
  readonly #open = new Set<Promise<unknown>>();
  #stopped = false;

  constructor(options: BeginningsOptions) {
    this.#options = options;
  }

  /** Resolves when what is under way has ended. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await Promise.allSettled(this.#open);
  }

  /** Hands runs over, and answers for each. @throws what the database throws. */
  async begin(runs: readonly BeginningRun[], source: string): Promise<readonly BeginOutcome[]> {
    if (this.#stopped) return beginWorkflows(this.#options.pool, runs, source);
    const begun = this.#begin(runs, source);
    this.#open.add(begun);
    try {
      return await begun;
    } finally {
      this.#open.delete(begun);
    }
  }

  async #begin(runs: readonly BeginningRun[], source: string): Promise<readonly BeginOutcome[]> {
    const { services, pool, logger, advanced } = this.#options;
    const from = performance.now();
    let begun: BegunRuns;
    try {
      begun = await beginRuns(services, runs, source);
    } catch (error) {
      const fault = classifySqlFault(error);
      if (fault === 'connection' || fault === 'conflict') throw error;
      logger.warn({ err: error, workflows: runs.length }, 'workflows begin without their first advance');
      return beginWorkflows(pool, runs, source);
    }
    advanced(begun.results, from);
    return begun.outcomes;
  }
}
