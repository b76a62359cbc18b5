/**
 * One attempt in this process: the signal its handler sees, its timer, and how it was interrupted.
 *
 * The first interruption wins. From then on the attempt's outcome is decided; whatever the handler still does or
 * returns is dropped, and its slot is free, so that a handler that ignores its signal cannot hold a worker.
 */
import type { ClaimedRun } from '@spine/database';
import { AttemptAbortedError } from './abort.ts';
import type { AbortReason } from './context.ts';

/** setTimeout holds 24.8 days at the most. */
const LONGEST_TIMER_MS = 2_000_000_000;

const ignore = (): void => undefined;

export class Attempt {
  readonly run: ClaimedRun;
  /** Called when the handler returns a result after the attempt was interrupted; the result is dropped. */
  onLateResult: () => void = ignore;
  /** Called when the attempt is interrupted, once and in that turn. Set by whoever waits for its end. */
  onInterrupt: (reason: AbortReason) => void = ignore;
  /** Whether it still takes a slot of its worker. */
  holdsSlot = true;
  /**
   * True while its own publication commits and after it has. Its run is gone from its worker's heartbeats then, which is
   * no loss; one that does not commit finds out itself.
   */
  isPublishing = false;
  /** Made when it is asked for: most handlers never look. */
  #controller: AbortController | null = null;
  #timer: NodeJS.Timeout | null = null;
  #reason: AbortReason | null = null;
  readonly #since = performance.now();

  constructor(run: ClaimedRun) {
    this.run = run;
  }

  /** Whether it is the deadline of the whole run that ends the attempt, and not its own time-out. */
  get isLastByDeadline(): boolean {
    const { runTimeLeftMs, timeoutMs } = this.run;
    return runTimeLeftMs !== null && runTimeLeftMs <= timeoutMs;
  }

  get signal(): AbortSignal {
    if (this.#controller === null) {
      this.#controller = new AbortController();
      if (this.#reason !== null) this.#controller.abort(new AttemptAbortedError(this.#reason));
    }
    return this.#controller.signal;
  }

  /** Why the attempt was interrupted; null while it was not. */
  get reason(): AbortReason | null {
    return this.#reason;
  }

  interrupt(reason: AbortReason): void {
    if (this.#reason !== null || (this.isPublishing && reason !== 'timed_out' && reason !== 'shutdown'))
      return;
    this.#reason = reason;
    this.end();
    this.#controller?.abort(new AttemptAbortedError(reason));
    this.onInterrupt(reason);
  }

  /** From now on the attempt is interrupted when its time is over. One that ends in the turn it began in needs no timer. */
  startTimer(): void {
    const { timeoutMs, runTimeLeftMs } = this.run;
    this.#arm(Math.min(timeoutMs, runTimeLeftMs ?? Infinity) - (performance.now() - this.#since));
  }

  /** Stops the timer. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** A time-out that no timer holds takes one after the other. */
  #arm(ms: number): void {
    this.#timer =
      ms > LONGEST_TIMER_MS
        ? setTimeout(() => this.#arm(ms - LONGEST_TIMER_MS), LONGEST_TIMER_MS)
        : setTimeout(timeUp, Math.max(ms, 1), this);
  }
}

function timeUp(attempt: Attempt): void {
  attempt.interrupt('timed_out');
}
