/** One attempt after the other, by the same rules as in a worker: they differ only in where the run is kept. */
import { decideSettlement } from '../../policy/retry.ts';
import { storedRetryPolicy } from '../../spec/retry-json.ts';
import { runHandler } from '../../worker/attempt-end.ts';
import type { HandlerCall } from '../../worker/attempt-end.ts';
import { Attempt } from '../../worker/attempt.ts';
import type { AbortReason } from '../../worker/context.ts';
import type { Execution } from './execution.ts';
import { InProcessContext } from './in-process-context.ts';
import type { InProcessServices } from './in-process-context.ts';

export interface AttemptRunnerOptions extends InProcessServices {
  readonly call: HandlerCall;
  /** In [0, 1). */
  readonly random: () => number;
}

export class AttemptRunner {
  readonly #options: AttemptRunnerOptions;
  readonly #running = new Map<Execution, Attempt>();

  constructor(options: AttemptRunnerOptions) {
    this.#options = options;
  }

  /** Executions with an attempt under way. */
  get running(): readonly Execution[] {
    return [...this.#running.keys()];
  }

  /** Makes the next attempt; answers with the milliseconds until the one after, null when there is none. */
  async run(execution: Execution): Promise<number | null> {
    const tooLate = execution.expired;
    if (tooLate !== null) {
      execution.fail('timed_out', tooLate);
      return null;
    }
    const claimed = execution.start();
    const attempt = new Attempt(claimed);
    this.#running.set(execution, attempt);
    try {
      const context = new InProcessContext(attempt, execution, this.#options);
      const end = await runHandler(execution.handler, attempt, context, this.#options.call);
      if (end === 'lost') return null;
      const policy = storedRetryPolicy(claimed.retryPolicy) ?? execution.handler.retry;
      const settlement = decideSettlement(claimed, end, this.#options.random(), policy);
      const settled = execution.settle(claimed.epoch, settlement);
      return settled === 'settled' && 'delayMs' in settlement ? settlement.delayMs : null;
    } finally {
      attempt.end();
      this.#running.delete(execution);
    }
  }

  /** Ends the attempt under way, if there is one; what the handler still does is dropped. */
  interrupt(execution: Execution, reason: AbortReason): void {
    this.#running.get(execution)?.interrupt(reason);
  }
}
