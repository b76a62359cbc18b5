import type { RunKind } from '@spine/core';
import type { DbTransaction, RunRecord, StoredError } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { SubmitOutcome } from '../dispatch/outcome.ts';
import type { Publication } from '../publish/publication.ts';
import type { Published } from '../publish/published.ts';
import type { HandlerLimits } from '../gates/limits.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { HandlerSecret } from './secrets.ts';

/** The attempt a handler works for. */
export interface AttemptInfo {
  /** Also the idempotency key for outside systems: side effects happen at least once. */
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly lane: string;
  /** 1 for the first attempt. */
  readonly attempt: number;
  readonly maxAttempts: number;
  /** The fence for outside systems that accept one: it only grows. */
  readonly epoch: number;
  readonly correlationId: string | null;
  readonly parentRunId: string | null;
  readonly metadata: Readonly<Record<string, unknown>>;
  /** What ended the attempt before; null for the first. */
  readonly lastError: StoredError | null;
}

/** What is known of a run wherever it runs. */
export type RunSummary = Pick<
  RunRecord,
  | 'runId'
  | 'kind'
  | 'name'
  | 'lane'
  | 'status'
  | 'result'
  | 'error'
  | 'attempt'
  | 'maxAttempts'
  | 'correlationId'
  | 'parentRunId'
  | 'createdAt'
  | 'startedAt'
  | 'completedAt'
>;

/** Why a handler's signal was aborted. */
export type AbortReason =
  /** The attempt's time-out is over; its outcome is already decided. */
  | 'timed_out'
  /** The run was taken from this attempt, by whatever it was: what is still written is refused. */
  | 'lost'
  /** As lost, and known to be by a cancel. */
  | 'cancelled'
  /** As lost, and known to be by a pause: the run starts again when it is resumed. */
  | 'paused'
  /** This worker stops; the run is handed back and starts again elsewhere. */
  | 'shutdown';

/** The circuit breaker of a dependency, as a handler uses it. */
export interface ContextBreaker {
  /**
   * Calls the dependency, unless it is known to fail.
   * @throws BreakerOpenError in place of the call: let it pass, and the run is deferred, no attempt charged.
   */
  fire<T>(call: () => T | Promise<T>): Promise<T>;
}

/** What a handler gets beside its params. */
export interface HandlerContext {
  readonly run: AttemptInfo;
  /** Aborted when the attempt should stop; `signal.reason` is an {@link AttemptAbortedError}. */
  readonly signal: AbortSignal;
  /** Carries run_id, attempt, lane and correlation_id. */
  readonly log: Logger;
  /** Records progress as an event: a fraction from 0 to 1 and a message. At most one a second is kept. */
  progress(fraction: number, message?: string): void;
  /**
   * Appends an event to the run's history; `data` is at most 64 KiB of JSON.
   * @throws ValidationError for a type or data that cannot be stored.
   * @throws AttemptAbortedError when the attempt no longer holds the run.
   */
  event(type: string, data?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Submits a child run; refused (`fenced`) once this attempt no longer holds its run. */
  submit(spec: WorkSpec): Promise<SubmitOutcome<RunSummary>>;
  /**
   * Runs `work` in a database transaction that commits only while this attempt holds the run, so that a worker that
   * lost its run writes nothing.
   * @throws AttemptAbortedError when it no longer does; everything is rolled back.
   */
  transaction<T>(work: (trx: DbTransaction) => Promise<T>): Promise<T>;
  /**
   * Completes the run in one transaction with all it has made: the handler's own rows, rows of the ledger, downstream
   * runs. A crash at any point leaves all of it or nothing. `work` answers with the run's result and is called once; end
   * with `return await ctx.publish(...)`. Nothing can be recorded for the run afterwards.
   * @throws what `work` throws, and then nothing is written; AttemptAbortedError when the attempt no longer holds the run;
   * PublishError when it is called twice; PublishUnsupportedError in an executor without a database of runs.
   */
  publish<T>(work: (publication: Publication) => Promise<T>): Promise<Published<T>>;
  /**
   * Puts the run off: the attempt ends uncharged, and the run waits for so many seconds. At most about 1,000 times a run.
   * @throws RunDeferredError always; a handler that catches everything must throw it on.
   */
  defer(seconds: number, reason: string): never;
  /**
   * The circuit breaker of a dependency, shared by all workers.
   * @throws ConfigError for a name that is none of a dependency.
   */
  breaker(name: string): ContextBreaker;
  /**
   * The secret of a name such as `bloomberg_api_key`, out of the worker's backends; remembered for a while, so ask each time
   * it is used. The name stands in the handler's code: one out of params would let whoever submits a run choose.
   * @throws MissingSecretError; SecretUnavailableError (transient), SecretAccessError, SecretFormatError; ValidationError for
   * what is no name; ConfigError in an executor without secrets.
   */
  secret(name: string): Promise<HandlerSecret>;
  /**
   * W3C traceparent of what goes on here, for what the handler calls; null where nothing is traced. Spans that a handler
   * makes by the API of OpenTelemetry are under its attempt's without it.
   */
  readonly traceparent: string | null;
  /** Rates that all workers share. */
  readonly limits: HandlerLimits;
}
