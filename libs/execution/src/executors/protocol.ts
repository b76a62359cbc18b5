/**
 * The executor protocol: one way to submit work and to learn what became of it, wherever it runs. Every implementation
 * passes test/conformance/executor.
 */
import type { RunStatus } from '@spine/core';
import type { StoredError } from '@spine/database';
import type { WaitOptions } from '../dispatch/dispatcher.ts';
import type { SpecIssue } from '../spec/new-run.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { RunSummary } from '../worker/context.ts';

/** What a submission is asked after with. */
export interface ExecutionRef {
  readonly runId: string;
}

/** What became of a submission. */
export type Submission =
  | {
      readonly type: 'accepted';
      readonly ref: ExecutionRef;
      /** For people. */
      readonly warnings: readonly string[];
    }
  /** The idempotency key belongs to this execution, which asked for the same. */
  | { readonly type: 'existing'; readonly ref: ExecutionRef }
  /** The idempotency key belongs to an execution that asked for something else. */
  | { readonly type: 'conflict'; readonly ref: ExecutionRef }
  | { readonly type: 'invalid'; readonly issues: readonly SpecIssue[] }
  /** `handler` is its key, `kind:name`. */
  | { readonly type: 'unknown_handler'; readonly handler: string }
  /** The executor takes no more: for good when it is closed, until something ends when its queue is full. */
  | { readonly type: 'rejected'; readonly reason: 'closed' | 'queue_full' };

/** How an execution ended, or that it has not yet. */
export type ExecutionOutcome =
  | { readonly type: 'completed'; readonly run: RunSummary; readonly result: unknown }
  | { readonly type: 'failed'; readonly run: RunSummary; readonly error: StoredError }
  /** The last error is one of time: the attempt's time-out, the run's deadline, or a deadline its handler had set. */
  | { readonly type: 'timed_out'; readonly run: RunSummary; readonly error: StoredError }
  /** `error` is that of the attempt before, if there was one. */
  | { readonly type: 'cancelled'; readonly run: RunSummary; readonly error: StoredError | null }
  /** The wait is over before the execution. */
  | { readonly type: 'unfinished'; readonly run: RunSummary }
  | { readonly type: 'not_found' };

export type Cancellation =
  | { readonly type: 'cancelled'; readonly from: RunStatus }
  | { readonly type: 'terminal'; readonly status: RunStatus }
  | { readonly type: 'not_found' };

export interface CloseOptions {
  /** What runs may go on for this long, in milliseconds. Default 8 s. */
  readonly graceMs?: number;
}

export type ExecutorKind = 'queue' | 'memory' | 'local' | 'process' | 'stub';

export interface Executor {
  readonly kind: ExecutorKind;
  /** Attempts at the same time at the most; null where that depends on the workers there are. */
  readonly concurrency: number | null;

  /** Accepts work. Expected refusals are returned, faults are thrown. */
  submit(spec: WorkSpec): Promise<Submission>;

  /** What is known of an execution now; null for one that is not known, or no longer. */
  status(ref: ExecutionRef): Promise<RunSummary | null>;

  /**
   * Waits until an execution has ended. Any number of waits at once costs about as much as one.
   * @param options `timeoutMs` defaults to 30 s; Infinity for no limit.
   * @throws the signal's reason when it is aborted.
   */
  wait(ref: ExecutionRef, options?: WaitOptions): Promise<ExecutionOutcome>;

  /** Ends an execution that has not ended, and what it has started. Its handler's signal is aborted. */
  cancel(ref: ExecutionRef, reason?: string): Promise<Cancellation>;

  /**
   * Accepts nothing more. In process, what waits is cancelled, and what runs is after the grace; a distributed
   * executor leaves its runs to the workers, and waits under way end as `unfinished`.
   */
  close(options?: CloseOptions): Promise<void>;
}

/** In milliseconds. */
export const DEFAULT_GRACE_MS = 8_000;
export const DEFAULT_WAIT_MS = 30_000;
