/** The publication of one attempt, seen by the handler that makes it and by the executor that ends the attempt. */
import { InvariantError } from '@spine/core';
import { AttemptAbortedError } from '../worker/abort.ts';
import type { AbortReason } from '../worker/context.ts';
import { nextPhase } from './phase.ts';
import type { PublishEvent, PublishPhase } from './phase.ts';
import { AlreadyPublishedError, PublishError } from './published.ts';

/** What the executor learns at the attempt's end. */
export type PublishEnd = 'none' | 'published' | 'unknown';

export class AttemptPublishing {
  readonly #runId: string;
  #phase: PublishPhase = 'open';
  #waiting: (() => void)[] = [];

  constructor(runId: string) {
    this.#runId = runId;
  }

  get phase(): PublishPhase {
    return this.#phase;
  }

  /** @throws PublishError where one is under way, or was made. */
  begin(): void {
    if (this.#phase === 'published') throw new AlreadyPublishedError(this.#runId);
    if (!this.#to('begin')) {
      throw new PublishError(
        `run ${this.#runId} cannot be published now: ${this.#phase === 'closed' ? 'its attempt has ended' : 'a publication of it is under way'}`,
      );
    }
  }

  /**
   * Whether the attempt goes on.
   * @param interruptedBy why it was interrupted; null while it was not.
   * @throws AttemptAbortedError for an interrupted attempt; PublishError when its handler has returned without waiting.
   */
  check(interruptedBy: AbortReason | null): void {
    if (interruptedBy !== null) throw new AttemptAbortedError(interruptedBy);
    if (this.#phase === 'working') return;
    throw new PublishError(
      `the handler of run ${this.#runId} has returned without waiting for its publication`,
    );
  }

  /** From here on the attempt's end waits for this publication. @throws as {@link check}. */
  commit(interruptedBy: AbortReason | null): void {
    this.check(interruptedBy);
    this.#must('commit');
  }

  committed(): void {
    this.#must('committed');
  }

  rolledBack(): void {
    this.#must('roll_back');
  }

  loseSight(): void {
    this.#must('lose_sight');
  }

  /** Ends the attempt's publishing: nothing begins or commits any more. Waits for a commit that is under way. */
  async close(): Promise<PublishEnd> {
    while (!this.#to('close')) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return this.#phase === 'published' || this.#phase === 'unknown' ? this.#phase : 'none';
  }

  #must(event: PublishEvent): void {
    const from = this.#phase;
    if (!this.#to(event)) throw new InvariantError(`a publication that is ${from} cannot ${event}`);
  }

  #to(event: PublishEvent): boolean {
    const next = nextPhase(this.#phase, event);
    if (next === null) return false;
    this.#phase = next;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resume of waiting) resume();
    return true;
  }
}
