/**
 * One attempt in this process: the signal its handler sees, its timer, and how it was interrupted.
 *
 * The first interruption wins. From then on the attempt's outcome is decided; whatever the handler still does or
 * returns is dropped, and its slot is free, so that a handler that ignores its signal cannot hold a worker.
 */
import type { ClaimedRun } from '@spine/database';
import { AttemptAbortedError } from './abort.ts';
import type { AbortReason } from './context.ts';

export class Attempt {
  readonly run: ClaimedRun;
  /** Called when the handler returns a result after the attempt was interrupted; the result is dropped. */
  onLateResult: () => void = () => undefined;
  /**
   * True while its own publication commits and after it has. Its run is gone from its worker's heartbeats then, which is
   * no loss; one that does not commit finds out itself.
   */
  isPublishing = false;
  /** Made when it is asked for: most handlers never look. */
  #controller: AbortController | null = null;
  readonly #interrupted: Promise<AbortReason>;
  #interrupt: (reason: AbortReason) => void = () => undefined;
  #timer: NodeJS.Timeout | null = null;
  #reason: AbortReason | null = null;

  constructor(run: ClaimedRun) {
    this.run = run;
    this.#interrupted = new Promise((resolve) => {
      this.#interrupt = resolve;
    });
    this.#arm(performance.now() + Math.min(run.timeoutMs, run.runTimeLeftMs ?? Infinity));
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

  /** Resolves when the attempt is interrupted. */
  get interrupted(): Promise<AbortReason> {
    return this.#interrupted;
  }

  interrupt(reason: AbortReason): void {
    if (this.#reason !== null || (this.isPublishing && reason !== 'timed_out' && reason !== 'shutdown'))
      return;
    this.#reason = reason;
    this.end();
    this.#controller?.abort(new AttemptAbortedError(reason));
    this.#interrupt(reason);
  }

  /** Stops the timer. */
  end(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  /** setTimeout holds 24.8 days at the most; longer time-outs re-arm. */
  #arm(until: number): void {
    const left = until - performance.now();
    this.#timer = setTimeout(
      () => {
        if (performance.now() >= until - 1) this.interrupt('timed_out');
        else this.#arm(until);
      },
      Math.min(Math.max(left, 1), 2_000_000_000),
    );
  }
}
