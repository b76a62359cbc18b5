/**
 * Runs that start in the process that submits them, without a hint and without a claim.
 *
 * 1. Only a run that is stored alone: of many the queue brings other workers their share. 2. The room that a worker keeps for
 * it is ended once: by the answer to its insert, by a fault that has stored nothing, or, after a connection that broke, by what
 * becomes of the insert that is sent again. 3. That one stores nothing as claimed: it answers whether the first has committed,
 * and what the first has made of the run its row says. 4. Where no answer comes any more, the row says it as well.
 */
import { classifySqlFault } from '@spine/database';
import type { ClaimOnInsert, InsertOutcome, NewRun } from '@spine/database';
import type { Adoption, EagerStarter } from '../worker/adopter.ts';

type Submitted = Pick<EagerStarter, 'adoptSubmitted'>;

/** What is looked at of an outcome. */
type Answer = Extract<InsertOutcome, { type: 'inserted' }> | Pick<InsertOutcome, 'type'>;

/** One insert of a run that a worker of this process has room for. */
export class EagerStart {
  readonly #room: Adoption;
  readonly #isRepeat: boolean;
  readonly #unanswered: (room: Adoption) => void;

  constructor(room: Adoption, isRepeat: boolean, unanswered: (room: Adoption) => void) {
    this.#room = room;
    this.#isRepeat = isRepeat;
    this.#unanswered = unanswered;
  }

  /** For the insert; null: the run is to be queued. */
  get claim(): ClaimOnInsert | null {
    return this.#isRepeat ? null : this.#room.claim;
  }

  /** The insert has committed. @returns whether the run needs no hint. */
  answered(outcome: Answer | undefined): boolean {
    if (outcome !== undefined && 'status' in outcome && outcome.status === 'running') {
      this.#room.begin(new Set([outcome.runId]));
      return true;
    }
    if (outcome?.type === 'existing') this.#room.lookFor();
    else this.#room.giveUp();
    return false;
  }

  /** The insert has thrown. */
  failed(error: unknown): void {
    if (classifySqlFault(error) === 'connection') this.#unanswered(this.#room);
    // It says nothing of what came before it.
    else if (this.#isRepeat) this.#room.lookFor();
    else this.#room.giveUp();
  }
}

export class EagerStarts {
  readonly #workers: Submitted | undefined;
  /** Room for runs whose insert is sent again. */
  readonly #unanswered = new Map<string, Adoption>();

  /** @param workers of this process. */
  constructor(workers: Submitted | undefined) {
    this.#workers = workers;
  }

  /** @param ambiguous whether an earlier insert of the same runs went unanswered. */
  of(runs: readonly NewRun[], ambiguous: boolean): EagerStart | null {
    const [run] = runs;
    if (run === undefined || runs.length > 1) return null;
    const room = ambiguous ? this.#takeBack(run.runId) : this.#workers?.adoptSubmitted(run);
    if (room === undefined || room === null) return null;
    return new EagerStart(room, ambiguous, (kept) => this.#unanswered.set(run.runId, kept));
  }

  /** Inserts that are not sent again: nobody knows whether they have committed. */
  abandon(runs: readonly NewRun[]): void {
    if (this.#unanswered.size === 0) return;
    for (const { runId } of runs) this.#takeBack(runId)?.lookFor();
  }

  #takeBack(runId: string): Adoption | undefined {
    const room = this.#unanswered.get(runId);
    this.#unanswered.delete(runId);
    return room;
  }
}
