/**
 * The executor: a claimed run from its params to its settlement, on one screen.
 *
 *   resolve the handler -> validate params -> run against the signal -> decide -> settle under the fence
 *
 * Nothing here throws for what a handler did: every end of an attempt is a settlement, and a refused settlement is
 * counted and dropped.
 */
import {
  assertNever,
  ErrorCategory,
  handlerKey,
  TimeoutError,
  toErrorInfo,
  ValidationError,
} from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { SettleItem, SettleOutcome, Settlement } from '@spine/database';
import type { Metrics } from '@spine/observability';
import { decideSettlement } from '../policy/retry.ts';
import type { AttemptEnd } from '../policy/retry.ts';
import type { Handler, HandlerRegistry } from '../registry/registry.ts';
import type { Attempt } from './attempt.ts';
import { AttemptContext } from './handler-context.ts';
import type { ContextServices } from './handler-context.ts';
import { encodeResult } from './result.ts';

export interface ExecutorOptions extends ContextServices {
  readonly registry: HandlerRegistry;
  readonly settle: (item: SettleItem) => Promise<SettleOutcome>;
  readonly metrics: Metrics;
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

  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.#random = options.random ?? Math.random;
  }

  /**
   * Executes and settles one attempt; `onHandlerEnd` is called between the two. Rejects only when Postgres cannot be
   * reached; the lease then runs out.
   */
  async execute(attempt: Attempt, onHandlerEnd: () => void): Promise<ExecutedAttempt> {
    const started = performance.now();
    const end = await this.#run(attempt);
    attempt.end();
    onHandlerEnd();
    this.#options.metrics.runSeconds.observe(
      { kind: attempt.run.kind },
      (performance.now() - started) / 1000,
    );
    if (end === 'lost') return this.#fenced();
    const settlement = decideSettlement(attempt.run, end, this.#random());
    return this.#settle(attempt, settlement);
  }

  async #run(attempt: Attempt): Promise<AttemptEnd | 'lost'> {
    const { kind, name } = attempt.run;
    const handler = this.#options.registry.get(kind, name);
    if (handler === undefined) {
      // Claims are filtered by what this worker knows; another one may know it.
      return {
        type: 'interrupted',
        reason: `handler ${handlerKey(kind, name)} is not registered in this worker`,
      };
    }
    const parsed = handler.parse(attempt.run.params);
    if (!parsed.ok) {
      const issues = parsed.issues.map((issue) => ({
        field: issue.field,
        code: issue.code,
        message: issue.message,
      }));
      const message = issues.map((issue) => `${issue.field}: ${issue.message}`).join('; ');
      return threw(new ValidationError(`invalid params: ${message}`, { issues }));
    }
    return this.#invoke(handler, parsed.params, attempt);
  }

  async #invoke(handler: Handler, params: unknown, attempt: Attempt): Promise<AttemptEnd | 'lost'> {
    const context = new AttemptContext(attempt, this.#options);
    let called: Promise<AttemptEnd>;
    try {
      called = Promise.resolve(handler.invoke(params, context)).then(returned, threw);
    } catch (error) {
      called = Promise.resolve(threw(error));
    }
    const first = await Promise.race([called, attempt.interrupted]);
    // An interruption decides even when the handler answered it in the same turn.
    const reason = attempt.reason;
    if (reason === null) return typeof first === 'string' ? 'lost' : first;
    switch (reason) {
      case 'lost':
        return 'lost';
      case 'shutdown':
        return { type: 'interrupted', reason: 'the worker is stopping' };
      case 'timed_out':
        return { type: 'timed_out', error: timeoutInfo(attempt.run.timeoutMs) };
      default:
        return assertNever(reason);
    }
  }

  async #settle(attempt: Attempt, settlement: Settlement): Promise<ExecutedAttempt> {
    const { runId, epoch } = attempt.run;
    const outcome = await this.#options.settle({ runId, epoch, settlement });
    if (outcome === 'fenced') return this.#fenced();
    this.#options.metrics.settled.inc({ outcome: settlement.type });
    return { outcome: settlement.type, error: 'error' in settlement ? settlement.error.message : null };
  }

  #fenced(): ExecutedAttempt {
    this.#options.metrics.fenced.inc({ operation: 'settle' });
    return { outcome: 'fenced', error: null };
  }
}

function returned(value: unknown): AttemptEnd {
  const encoded = encodeResult(value);
  return encoded.isOk() ? { type: 'returned', result: encoded.value } : threw(encoded.error);
}

function threw(error: unknown): AttemptEnd {
  return { type: 'threw', error: toErrorInfo(error) };
}

function timeoutInfo(timeoutMs: number): ErrorInfo {
  return {
    ...toErrorInfo(new TimeoutError(`the attempt exceeded its time-out of ${timeoutMs} ms`)),
    category: ErrorCategory.TIMEOUT,
  };
}
