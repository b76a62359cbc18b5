/**
 * From a run worth claiming to its end, and the slot it takes.
 *
 * 1. A slot was taken for every run that comes in here; it is free again when the run turns out to be gone, or its handler
 * ends. 2. What is executed is in the LeaseKeeper, from before its handler begins until after it is settled. 3. After
 * standing still for longer than a lease nothing is claimed, begun or settled before a heartbeat was answered.
 */
import type { ClaimedRun, SettleItem, SettleOutcome } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { WorkerGates } from '../gates/worker-gates.ts';
import { inAttemptSpan } from './attempt-span.ts';
import { Attempt } from './attempt.ts';
import type { AttemptOutcome, ExecutedAttempt, Executor } from './executor.ts';
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

export class AttemptRunner {
  readonly #options: AttemptRunnerOptions;
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

  /** Claims a run and executes it. @param gated what its hint says of it. */
  async claimAndExecute(runId: string, gated: boolean): Promise<ExecutedAttempt | 'gone'> {
    const { leases, slots } = this.#options;
    let run: ClaimedRun | null;
    let askedAt: number;
    try {
      if (leases.lapsed()) await leases.confirm();
      askedAt = performance.now();
      run = await this.#claim(runId, gated);
    } catch (error) {
      slots.release();
      throw error;
    }
    if (run !== null) return this.execute(run, askedAt);
    slots.release();
    return 'gone';
  }

  /** A hint that is wrong about gates costs a second look. */
  async #claim(runId: string, gated: boolean): Promise<ClaimedRun | null> {
    const { exchange, gates } = this.#options;
    const run = gated ? null : await exchange.claim(runId);
    return run === null && (gated || gates.anyHandler) ? gates.claim(runId) : run;
  }

  /**
   * Executes a claimed run and frees its slot. The slot is free when the handler ends, so that the next claim overlaps
   * with the commit of this settlement; only when as many attempts as there are slots wait for their commit, it is kept
   * until this one is through.
   *
   * @param askedAt when its claim was sent, by performance.now().
   */
  async execute(run: ClaimedRun, askedAt: number): Promise<ExecutedAttempt> {
    const { leases, slots, gates, executor, logger, workerId } = this.#options;
    const attempt = new Attempt(run);
    leases.add(attempt, askedAt);
    // The answer may have lain about while the process stood still.
    if (leases.lapsed(run.runId)) await leases.confirm(run.runId);
    this.#begun += 1;
    // Claimed before the stop, answered after everything else was handed back.
    if (this.#handingBack) attempt.interrupt('shutdown');
    let slotHeld = true;
    let outcome: AttemptOutcome | null = null;
    const onHandlerEnd = (): void => {
      if (leases.size - slots.used >= slots.total) return;
      slotHeld = false;
      slots.release();
    };
    try {
      const executed = await inAttemptSpan(run, { workerId, askedAt }, () =>
        executor.execute(attempt, onHandlerEnd),
      );
      outcome = executed.outcome;
      return executed;
    } catch (error) {
      logger.error(
        { err: error, run_id: run.runId },
        'an attempt could not be settled; its lease will run out',
      );
      throw error;
    } finally {
      attempt.end();
      if (slotHeld) slots.release();
      leases.remove(attempt);
      gates.ended(run, outcome);
      this.#options.onEnded?.(run);
    }
  }
}
