/**
 * From a run worth claiming to its end, and the slot it takes.
 *
 * 1. A slot was taken for every run that comes in here; it is free again when the run turns out to be gone, or its handler
 * ends. 2. What is executed is in the LeaseKeeper, from before its handler begins until after it is settled. 3. After
 * standing still for longer than a lease nothing is claimed, begun or settled before a heartbeat was answered.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { ClaimedRun, SettleItem, SettleOutcome } from '@spine/database';
import { isTracing } from '@spine/observability';
import type { Logger } from '@spine/observability';
import type { WorkerGates } from '../gates/worker-gates.ts';
import { inAttemptSpan } from './attempt-span.ts';
import { Attempt } from './attempt.ts';
import type { ExecutedAttempt, Executor } from './executor.ts';
import type { LeaseKeeper } from './lease-keeper.ts';
import type { RunExchange } from './run-exchange.ts';
import type { Slots } from './slots.ts';

export interface AttemptRunnerOptions {
  readonly slots: Slots;
  readonly leases: LeaseKeeper;
  readonly exchange: RunExchange;
  readonly gates: WorkerGates;
  readonly executor: Executor;
  readonly workerId: string;
  readonly logger: Logger;
  /** Told of every attempt that has ended. */
  readonly onEnded?: ((run: ClaimedRun) => void) | undefined;
}

/** Whether an attempt holds its run as far as this worker knows; where its lease may have ended, Postgres is asked first. */
export async function isStillHeld(
  leases: LeaseKeeper,
  { runId, epoch }: Pick<ClaimedRun, 'runId' | 'epoch'>,
): Promise<boolean> {
  if (leases.lapsed(runId)) await leases.confirm(runId);
  return leases.holds(runId, epoch);
}

/** Ends attempts; of one whose lease may have ended, whoever has the run by now is not even asked. */
export function settleWhileHeld(
  leases: LeaseKeeper,
  exchange: RunExchange,
): (item: SettleItem) => Promise<SettleOutcome> {
  const late = async (item: SettleItem): Promise<SettleOutcome> =>
    (await isStillHeld(leases, item)) ? exchange.settle(item) : 'fenced';
  return (item) => (leases.lapsed(item.runId) ? late(item) : exchange.settle(item));
}

/** What became of a run that was to be claimed; `unknown`: Postgres has not said it. */
export type ClaimEnd = ExecutedAttempt | 'gone' | 'unknown';

export class AttemptRunner {
  readonly #options: AttemptRunnerOptions;
  /** Calls a function in the worker's own asynchronous context. */
  readonly #apart = AsyncLocalStorage.snapshot();
  #handingBack = false;
  #begun = 0;

  constructor(options: AttemptRunnerOptions) {
    this.#options = options;
  }

  /** Attempts begun since the start. */
  get begun(): number {
    return this.#begun;
  }

  /** Interrupts what runs, and what is claimed from now on: all of it is handed back. */
  handBack(): void {
    this.#handingBack = true;
    this.#options.leases.interruptAll('shutdown');
  }

  /**
   * Claims runs and executes them, for each of which a slot was taken.
   * @param gated what their hint says of them. @param onEnd called once for each, and must not throw.
   */
  claimAndExecute(runIds: readonly string[], gated: boolean, onEnd: (end: ClaimEnd) => void): void {
    const { leases } = this.#options;
    if (!leases.lapsed()) this.#claim(runIds, gated, onEnd);
    else void leases.confirm().then(() => this.#claim(runIds, gated, onEnd));
  }

  /** A hint that is wrong about gates costs a second look. */
  #claim(runIds: readonly string[], gated: boolean, onEnd: (end: ClaimEnd) => void): void {
    const { exchange, gates, slots } = this.#options;
    const askedAt = performance.now();
    const onClaim = (run: ClaimedRun | null): void => {
      if (run !== null) {
        void this.execute(run, askedAt, onEnd);
        return;
      }
      slots.release();
      onEnd('gone');
    };
    const onError = (): void => {
      slots.release();
      onEnd('unknown');
    };
    const claimGated = (runId: string): void => void gates.claim(runId).then(onClaim, onError);
    // It waited for a heartbeat, and nobody waits for what it would claim now.
    if (this.#handingBack) runIds.forEach(onError);
    else if (gated) {
      runIds.forEach(claimGated);
    } else {
      exchange.claimEach(
        runIds,
        (run, runId) => (run === null && gates.anyHandler ? claimGated(runId) : onClaim(run)),
        onError,
      );
    }
  }

  /**
   * Executes a claimed run and frees its slot. Never rejects: it logs that an attempt could not be settled.
   *
   * @param askedAt when its claim was sent, by performance.now(). @param onEnd called at its end; must not throw.
   */
  execute(run: ClaimedRun, askedAt: number, onEnd?: (end: ClaimEnd) => void): Promise<ClaimEnd> {
    const { leases } = this.#options;
    const attempt = new Attempt(run);
    leases.add(attempt, askedAt);
    return leases.lapsed(run.runId)
      ? // The answer may have lain about while the process stood still.
        leases.confirm(run.runId).then(() => this.#executeApart(attempt, askedAt, onEnd))
      : this.#executeApart(attempt, askedAt, onEnd);
  }

  /** Who submits a run here, or has another settled in the same statement, may be under a deadline that is not this run's. */
  #executeApart(attempt: Attempt, askedAt: number, onEnd?: (end: ClaimEnd) => void): Promise<ClaimEnd> {
    return this.#apart(() => this.#execute(attempt, askedAt, onEnd));
  }

  async #execute(attempt: Attempt, askedAt: number, onEnd?: (end: ClaimEnd) => void): Promise<ClaimEnd> {
    this.#begun += 1;
    // Claimed before the stop, answered after everything else was handed back.
    if (this.#handingBack) attempt.interrupt('shutdown');
    let end: ClaimEnd = 'unknown';
    try {
      end = await this.#inSpan(attempt, askedAt);
    } catch (error) {
      this.#options.logger.error(
        { err: error, run_id: attempt.run.runId },
        'an attempt could not be settled; its lease will run out',
      );
    }
    this.#ended(attempt, end);
    onEnd?.(end);
    return end;
  }

  #inSpan(attempt: Attempt, askedAt: number): Promise<ExecutedAttempt> {
    const { executor, workerId } = this.#options;
    if (!isTracing()) return executor.execute(attempt, this.#handlerEnded);
    return inAttemptSpan(attempt.run, { workerId, askedAt }, () =>
      executor.execute(attempt, this.#handlerEnded),
    );
  }

  /**
   * The slot is free when the handler ends, so that the next claim overlaps with the commit of this settlement; only when
   * as many attempts as there are slots wait for their commit, it is kept until this one is through.
   */
  readonly #handlerEnded = (attempt: Attempt): void => {
    const { leases, slots } = this.#options;
    if (leases.size - slots.used < slots.total) this.#freeSlot(attempt);
  };

  #ended(attempt: Attempt, end: ClaimEnd): void {
    const { leases, gates, onEnded } = this.#options;
    attempt.end();
    this.#freeSlot(attempt);
    leases.remove(attempt);
    gates.ended(attempt.run, typeof end === 'string' ? null : end.outcome);
    onEnded?.(attempt.run);
  }

  #freeSlot(attempt: Attempt): void {
    if (!attempt.holdsSlot) return;
    attempt.holdsSlot = false;
    this.#options.slots.release();
  }
}
