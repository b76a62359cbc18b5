import type { RunKind } from '@spine/core';
import type { DbTransaction } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { SubmitOutcome } from '../dispatch/outcome.ts';
import type { WorkSpec } from '../spec/work-spec.ts';

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
}

/** Why a handler's signal was aborted. */
export type AbortReason =
  /** The attempt's time-out is over; its outcome is already decided. */
  | 'timed_out'
  /** The run was cancelled, or its lease lost to another worker: whatever is still written is refused. */
  | 'lost'
  /** This worker stops; the run is handed back and starts again elsewhere. */
  | 'shutdown';

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
   * Appends an event to the run's history.
   * @throws AttemptAbortedError when the attempt no longer holds the run.
   */
  event(type: string, data?: Readonly<Record<string, unknown>>): Promise<void>;
  /** Submits a child run; refused (`fenced`) once this attempt no longer holds its run. */
  submit(spec: WorkSpec): Promise<SubmitOutcome>;
  /**
   * Runs `work` in a database transaction that commits only while this attempt holds the run, so that a worker that
   * lost its run writes nothing.
   * @throws AttemptAbortedError when it no longer does; everything is rolled back.
   */
  transaction<T>(work: (trx: DbTransaction) => Promise<T>): Promise<T>;
}
