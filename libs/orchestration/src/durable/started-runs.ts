/**
 * The runs that a transaction of advances starts, until it has committed or has not.
 *
 * 1. Nobody hears of them before. 2. Slots that a worker has taken for them are given back whatever becomes of it. 3. What the
 * transaction has cancelled again is not begun. 4. Params that were stored outside of their row go with a transaction that
 * was rolled back.
 */
import { classifySqlFault } from '@spine/database';
import type { ClaimOnInsert, NewRun } from '@spine/database';
import type { Adoption } from '@spine/execution';
import type { AdvanceServices } from './carry-out.ts';

/** Runs of one insert that a worker has room for. */
export interface Adopted {
  readonly claim: ClaimOnInsert;
  /** The insert has answered with those that it has stored as claimed. */
  stored(runIds: readonly string[]): void;
}

interface Taken {
  readonly adoption: Adoption;
  readonly stored: Set<string>;
}

export class StartedRuns {
  /** Whether a hint follows the commit. */
  readonly hinted: boolean;
  readonly #services: AdvanceServices;
  readonly #runs: NewRun[] = [];
  readonly #taken: Taken[] = [];
  readonly #withdrawn = new Set<string>();

  constructor(services: AdvanceServices) {
    this.#services = services;
    this.hinted = services.dispatcher.hinting;
  }

  add(run: NewRun): void {
    this.#runs.push(run);
  }

  /** Null where no worker of this process takes any of them. */
  adopt(runs: readonly NewRun[]): Adopted | null {
    if (runs.length === 0) return null;
    const adoption = this.#services.adopter?.adopt(runs) ?? null;
    if (adoption === null) return null;
    const taken: Taken = { adoption, stored: new Set() };
    this.#taken.push(taken);
    return {
      claim: adoption.claim,
      stored: (runIds) => {
        for (const runId of runIds) taken.stored.add(runId);
      },
    };
  }

  /** The transaction gives runs up, those that it has stored itself perhaps among them. */
  withdraw(runIds: readonly string[]): void {
    for (const runId of runIds) this.#withdrawn.add(runId);
  }

  /** They have committed. */
  announce(): void {
    if (this.#runs.length === 0) return;
    const held = new Set(this.#taken.flatMap(({ stored }) => [...stored]));
    this.#services.dispatcher.announce(this.#runs, this.hinted, held);
    for (const { adoption, stored } of this.#taken) {
      adoption.begin(new Set([...stored].filter((runId) => !this.#withdrawn.has(runId))));
    }
  }

  /** Their transaction has failed. @param error what it has thrown. */
  failed(error: unknown): void {
    // A COMMIT that went unanswered may have happened: params that it has not stored are swept up later.
    const unknown = classifySqlFault(error) === 'connection';
    for (const { adoption } of this.#taken) {
      if (unknown) adoption.lookFor();
      else adoption.giveUp();
    }
    if (unknown) return;
    for (const run of this.#runs) this.#services.payloads.discard(run.runId, run.paramsRef);
  }
}
