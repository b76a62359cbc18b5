/**
 * The executor: a claimed run from its params to its settlement, on one screen.
 *
 *   resolve the handler -> validate params -> run against the signal -> decide -> settle under the fence
 *
 * Nothing here throws for what a handler did: every end of an attempt is a settlement, and a refused settlement is
 * counted and dropped.
 */
import { handlerKey } from '@spine/core';
import type { SettleItem, SettleOutcome, Settlement } from '@spine/database';
import type { Metrics } from '@spine/observability';
import { runWithPayloads } from '../payload/attempt-payloads.ts';
import type { Payloads } from '../payload/payloads.ts';
import { decideSettlement } from '../policy/retry.ts';
import type { AttemptEnd } from '../policy/retry.ts';
import type { RetryPolicy } from '../policy/retry-policy.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import { storedRetryPolicy } from '../spec/retry-json.ts';
import { inProcessCall } from './attempt-end.ts';
import type { HandlerCall } from './attempt-end.ts';
import type { Attempt } from './attempt.ts';
import { EngineContext } from './handler-context.ts';
import type { ContextServices } from './handler-context.ts';

export interface ExecutorOptions extends ContextServices {
  readonly registry: HandlerRegistry;
  readonly settle: (item: SettleItem) => Promise<SettleOutcome>;
  readonly metrics: Metrics;
  readonly payloads: Payloads;
  /** How handlers are called. Default: in this process. */
  readonly call?: HandlerCall | undefined;
  /** In [0, 1); default Math.random. */
  readonly random?: () => number;
}

/** What became of an attempt, as the board shows it. */
export type AttemptOutcome = Settlement['type'] | 'fenced';

export interface ExecutedAttempt {
  readonly outcome: AttemptOutcome;
  /** The error that ended it, for the board. */
  readonly error: string | null;
}

export class Executor {
  readonly #options: ExecutorOptions;
  readonly #random: () => number;
  readonly #call: HandlerCall;

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
    this.#call = options.call ?? inProcessCall(options.payloads.limits.maxBytes);
  }

  /**
   * Executes and settles one attempt; `onHandlerEnd` is called between the two. Rejects only when Postgres cannot be
   * reached; the lease then runs out.
   */
  async execute(attempt: Attempt, onHandlerEnd: () => void): Promise<ExecutedAttempt> {
    const started = performance.now();
    attempt.onLateResult = this.#countLateResult;
    const context = new EngineContext(attempt, this.#options);
    const end = await this.#run(attempt, context);
    attempt.end();
    onHandlerEnd();
    this.#options.metrics.runSeconds.observe(
      { kind: attempt.run.kind },
      (performance.now() - started) / 1000,
    );
    if (end === 'lost') return this.#fenced();
    // Its lines are refused once it is settled.
    if (context.runLog !== null) await context.runLog.close();
    const settlement = decideSettlement(attempt.run, end, this.#random(), this.#retryPolicy(attempt));
    return this.#settle(attempt, settlement);
  }

  /** The spec's policy wins over the handler's. */
  #retryPolicy({ run }: Attempt): RetryPolicy | null {
    return (
      storedRetryPolicy(run.retryPolicy) ?? this.#options.registry.get(run.kind, run.name)?.retry ?? null
    );
  }

  async #run(attempt: Attempt, context: EngineContext): Promise<AttemptEnd | 'lost'> {
    const { kind, name } = attempt.run;
    const handler = this.#options.registry.get(kind, name);
    if (handler === undefined) {
      // Claims are filtered by what this worker knows; another one may know it.
      return {
        type: 'interrupted',
        reason: `handler ${handlerKey(kind, name)} is not registered in this worker`,
      };
    }
    return runWithPayloads(this.#options.payloads, handler, attempt, context, this.#call);
  }

  async #settle(attempt: Attempt, settlement: Settlement): Promise<ExecutedAttempt> {
    const { runId, epoch } = attempt.run;
    const outcome = await this.#options.settle({ runId, epoch, settlement });
    if (outcome === 'fenced') {
      if (settlement.type === 'completed') this.#options.payloads.discard(runId, settlement.resultRef);
      return this.#fenced();
    }
    const { metrics } = this.#options;
    metrics.settled.inc({ outcome: settlement.type });
    if (settlement.type === 'dead_lettered') metrics.deadLetters.inc({ source: 'worker' });
    return { outcome: settlement.type, error: 'error' in settlement ? settlement.error.message : null };
  }

  readonly #countLateResult = (): void => {
    this.#options.metrics.fenced.inc({ operation: 'late_result' });
  };

  #fenced(): ExecutedAttempt {
    this.#options.metrics.fenced.inc({ operation: 'settle' });
    return { outcome: 'fenced', error: null };
  }
}
