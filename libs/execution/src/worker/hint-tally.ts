/** What becomes of the runs of one hint: counted run by run, reported once, when the last of them has ended. */
import type { Delivery } from '../queue/port.ts';
import type { ClaimEnd } from './attempt-runner.ts';

export class HintTally {
  readonly #delivery: Delivery;
  readonly #outcomes: Record<string, number> = {};
  #left: number;
  #failure: string | null = null;

  constructor(delivery: Delivery) {
    this.#delivery = delivery;
    this.#left = delivery.runIds.length;
    if (this.#left === 0) this.#finish();
  }

  /** A run has ended. */
  readonly ended = (end: ClaimEnd): void => {
    if (typeof end === 'string') {
      this.#count(end, 1);
      return;
    }
    // What the board shows as the hint's own failure says nothing about one run of many.
    if (this.#delivery.runIds.length === 1) this.#failure = end.error;
    this.#count(end.outcome, 1);
  };

  /** So many runs are left to others. */
  givenBack(runs: number): void {
    if (runs > 0) this.#count('given_back', runs);
  }

  #count(outcome: string, runs: number): void {
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + runs;
    this.#left -= runs;
    if (this.#left === 0) this.#finish();
  }

  #finish(): void {
    void this.#delivery.finish({ outcomes: this.#outcomes, failure: this.#failure });
  }
}
