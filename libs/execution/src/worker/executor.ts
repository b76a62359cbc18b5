/**
 * The executor: a claimed run from its params to its settlement, on one screen.
 *
 *   resolve the handler -> validate params -> run against the signal -> decide -> settle under the fence
 *
 * Nothing here throws for what a handler did: every end of an attempt is a settlement, and a refused settlement is
 * counted and dropped. An attempt that has published is settled by that, whatever its handler did afterwards.
 */
import { assertNever, handlerKey, SpineError } from '@spine/core';
import {
  classifySqlFault,
  handOverRun,
  isGateBusy,
  isUniqueViolation,
  limitTransaction,
} from '@spine/database';
import type {
  BeginningRun,
  BeginOutcome,
  ClaimedRun,
  SettleItem,
  SettleOutcome,
  Settlement,
  StoredError,
} from '@spine/database';
import type { Metrics } from '@spine/observability';
import { runWithPayloads } from '../payload/attempt-payloads.ts';
import type { Payloads } from '../payload/payloads.ts';
import { decideSettlement } from '../policy/retry.ts';
import type { AttemptEnd } from '../policy/retry.ts';
import type { RetryPolicy } from '../policy/retry-policy.ts';
import { PublicationUnknownError } from '../publish/published.ts';
import type { HandlerRegistry } from '../registry/registry.ts';
import { storedRetryPolicy } from '../spec/retry-json.ts';
import { inProcessCall, threw } from './attempt-end.ts';
import type { HandlerCall } from './attempt-end.ts';
import type { Attempt } from './attempt.ts';
import { SHORTEST_DEFERRAL_MS } from './defer.ts';
import type { Eventually } from './eventually.ts';
import type { HandOver } from './hand-over.ts';
import { EngineContext } from './handler-context.ts';
import type { ContextServices } from './handler-context.ts';

export interface ExecutorOptions extends ContextServices {
  readonly registry: HandlerRegistry;
  /** Settles a run, and counts what it has settled. */
  readonly settle: (item: SettleItem) => Promise<SettleOutcome>;
  /** Begins workflows about whose runs nothing is left to be decided. Default: each in a transaction of its own. */
  readonly begin?: ((run: BeginningRun) => Promise<BeginOutcome>) | undefined;
  /** Written as the source of the event of a run that is handed over. */
  readonly source: string;
  readonly metrics: Metrics;
  readonly payloads: Payloads;
  /** How handlers are called. Default: in this process. */
  readonly call?: HandlerCall | undefined;
  /** In [0, 1); default Math.random. */
  readonly random?: () => number;
}

/** What became of an attempt, as the board shows it. */
export type AttemptOutcome = Settlement['type'] | 'fenced' | 'handed_over';

export interface ExecutedAttempt {
  readonly outcome: AttemptOutcome;
  /** The error that ended it, for the board. */
  readonly error: string | null;
  /** What kind of error it was, for its trace. */
  readonly fault: Pick<StoredError, 'type' | 'category' | 'retryable'> | null;
}

/** While a run is handed over its row is locked last, for one round trip. */
const HANDING_OVER = { lockTimeoutMs: 10_000, idleTimeoutMs: 10_000 } as const;

/** Others were at the same rows: nothing was written, and nobody is to blame for it. */
function isContention(error: unknown): boolean {
  return isGateBusy(error) || classifySqlFault(error) === 'conflict';
}

const CONTENDED: AttemptEnd = {
  type: 'deferred',
  delayMs: SHORTEST_DEFERRAL_MS,
  reason: 'others were at the same rows when it was to be handed over',
};

/** A run that was handed over before goes on where it was: that takes a look at it. */
function ifKnown(error: unknown): null {
  if (isUniqueViolation(error)) return null;
  throw error;
}

/** Rolls a hand-over back: the attempt has lost its run. */
class FencedError extends SpineError {}

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
   * reached, or could not be when it committed a publication; the lease then runs out.
   */
  async execute(attempt: Attempt, onHandlerEnd: (attempt: Attempt) => void): Promise<ExecutedAttempt> {
    const started = performance.now();
    attempt.onLateResult = this.#countLateResult;
    const context = new EngineContext(attempt, this.#options);
    const running = this.#run(attempt, context);
    // What ended at once goes on in this turn: its settlement travels with those of the runs that were claimed with it.
    const end = running instanceof Promise ? await running : running;
    const publishing = context.publishing === null ? 'none' : await context.publishing.close();
    attempt.end();
    onHandlerEnd(attempt);
    this.#observe(attempt, performance.now() - started);
    if (publishing === 'published') return this.#published(attempt, end, context);
    if (publishing === 'unknown') {
      throw new PublicationUnknownError(`nobody knows whether run ${attempt.run.runId} was published`);
    }
    if (end === 'lost') return this.#fenced();
    // Its lines are refused once it is settled.
    if (context.runLog !== null) await context.runLog.close();
    const left = end.type === 'hands_over' ? await this.#handOver(attempt.run, end.handOver) : end;
    if ('outcome' in left) return left;
    const settlement = this.#decide(attempt, left);
    const { runId, epoch } = attempt.run;
    return this.#settled(attempt, settlement, await this.#options.settle({ runId, epoch, settlement }));
  }

  #decide(attempt: Attempt, end: AttemptEnd): Settlement {
    return decideSettlement(attempt.run, end, this.#random(), this.#retryPolicy(attempt));
  }

  /**
   * Has the run received by whom its handler names. What fails is the attempt's error: after a COMMIT without an answer
   * its settlement is refused, because the epoch was raised, or nothing was handed over.
   */
  async #handOver(
    { runId, epoch }: ClaimedRun,
    { receive, beginning }: HandOver,
  ): Promise<ExecutedAttempt | AttemptEnd> {
    const { db, source, begin } = this.#options;
    let outcome: 'handed_over' | 'completed' | 'deferred';
    try {
      const begun =
        beginning === null || begin === undefined
          ? null
          : await begin({ ...beginning, runId, epoch }).catch(ifKnown);
      if (begun === 'fenced') return this.#fenced();
      outcome =
        begun === 'handed_over'
          ? begun
          : await db.transaction().execute(async (trx) => {
              await limitTransaction(trx, HANDING_OVER);
              const received = await receive(trx, epoch + 1);
              if (received.type === 'settled') return received.as;
              if (received.type === 'received') {
                const handedOver = await handOverRun(trx, runId, epoch, source);
                if (handedOver.type === 'handed_over') return handedOver.type;
              }
              throw new FencedError(`run ${runId} was taken from its attempt`);
            });
    } catch (error) {
      if (error instanceof FencedError) return this.#fenced();
      return isContention(error) ? CONTENDED : threw(error);
    }
    this.#options.metrics.settled.inc({ outcome });
    return { outcome, error: null, fault: null };
  }

  /** The spec's policy wins over the handler's. */
  #retryPolicy({ run }: Attempt): RetryPolicy | null {
    return (
      storedRetryPolicy(run.retryPolicy) ?? this.#options.registry.get(run.kind, run.name)?.retry ?? null
    );
  }

  #run(attempt: Attempt, context: EngineContext): Eventually<AttemptEnd | 'lost'> {
    const { kind, name } = attempt.run;
    const handler = this.#options.registry.find(kind, name);
    if (handler === undefined) {
      // Claims are filtered by what this worker knows; another one may know it.
      return {
        type: 'interrupted',
        reason: `handler ${handlerKey(kind, name)} is not registered in this worker`,
      };
    }
    return runWithPayloads(this.#options.payloads, handler, attempt, context, this.#call);
  }

  /** The run is completed; what its handler made of that is only told. */
  async #published(
    { run }: Attempt,
    end: AttemptEnd | 'lost',
    context: EngineContext,
  ): Promise<ExecutedAttempt> {
    const { metrics, logger } = this.#options;
    const fault = faultAfterPublishing(end);
    if (fault !== null) {
      logger.error(
        { run_id: run.runId, handler: handlerKey(run.kind, run.name), ...fault },
        'a handler did not end with its publication; the run stays completed',
      );
    }
    if (context.runLog !== null) await context.runLog.close();
    metrics.settled.inc({ outcome: 'completed' });
    return { outcome: 'completed', error: null, fault: null };
  }

  #settled(attempt: Attempt, settlement: Settlement, outcome: SettleOutcome): ExecutedAttempt {
    if (outcome === 'fenced') {
      if (settlement.type === 'completed') {
        this.#options.payloads.discard(attempt.run.runId, settlement.resultRef);
      }
      return this.#fenced();
    }
    const error = 'error' in settlement ? settlement.error : null;
    return { outcome: settlement.type, error: error?.message ?? null, fault: error };
  }

  #observe({ run: { kind } }: Attempt, tookMs: number): void {
    this.#options.metrics.runSeconds.observe({ kind }, tookMs / 1000);
  }

  readonly #countLateResult = (): void => {
    this.#options.metrics.fenced.inc({ operation: 'late_result' });
  };

  #fenced(): ExecutedAttempt {
    this.#options.metrics.fenced.inc({ operation: 'settle' });
    return { outcome: 'fenced', error: null, fault: null };
  }
}

/** What a handler did wrong after it had published; null for nothing. */
function faultAfterPublishing(end: AttemptEnd | 'lost'): Readonly<Record<string, unknown>> | null {
  // An interruption that came after the commit has nothing left to interrupt.
  if (end === 'lost') return null;
  switch (end.type) {
    case 'published':
    case 'timed_out':
    case 'interrupted':
      return null;
    case 'threw':
      return { fault: 'threw_after_publish', error: end.error };
    case 'returned':
    case 'hands_over':
      return { fault: 'returned_something_else' };
    case 'deferred':
      return { fault: 'deferred_after_publish', reason: end.reason };
    default:
      return assertNever(end);
  }
}
