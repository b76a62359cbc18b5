/** The workers of a process: whoever stores a run here asks them whether it may start at once. */
import type { NewRun } from '@spine/database';
import type { Adoption, EagerStarter } from './adopter.ts';

/** A worker is one of them from its start until it begins to stop. The first that has room takes what is offered. */
export class LocalWorkers implements EagerStarter {
  readonly #workers = new Set<EagerStarter>();

  get size(): number {
    return this.#workers.size;
  }

  /** @returns what takes the worker out again. */
  add(worker: EagerStarter): () => void {
    this.#workers.add(worker);
    return () => void this.#workers.delete(worker);
  }

  adopt(runs: readonly NewRun[]): Adoption | null {
    return this.#first((worker) => worker.adopt(runs));
  }

  adoptSubmitted(run: NewRun): Adoption | null {
    return this.#first((worker) => worker.adoptSubmitted(run));
  }

  #first(ask: (worker: EagerStarter) => Adoption | null): Adoption | null {
    for (const worker of this.#workers) {
      const adoption = ask(worker);
      if (adoption !== null) return adoption;
    }
    return null;
  }
}
