/**
 * One execution inside this process: its state, its history, and those who wait for its end.
 *
 * 1. States change only as a run's may. 2. The epoch is the fence: +1 for every attempt and for a cancel; what an earlier
 * attempt still reports is refused. 3. It ends once, and everybody who waits is told.
 */
import { assertNever, canTransition, invariant, isTerminal } from '@spine/core';
import type { RunStatus } from '@spine/core';
import type { ClaimedRun, NewRun, Settlement, StoredError } from '@spine/database';
import type { CapturedLine } from '@spine/observability';
import type { Handler } from '../../registry/registry.ts';
import type { RunSummary } from '../../worker/context.ts';

/** A line of an execution's history. */
export interface RecordedEvent {
  readonly type: string;
  readonly epoch: number;
  readonly data: unknown;
  readonly at: Date;
}

/** What a handler logged. */
export interface RecordedLog extends CapturedLine {
  readonly at: Date;
}

/** Lines of history and of the log kept of one execution. */
export const MAX_RECORDED = 1_000;

export class Execution {
  readonly run: NewRun;
  readonly handler: Handler;
  readonly events: RecordedEvent[] = [];
  readonly logs: RecordedLog[] = [];
  /** Resolves when the execution has ended. */
  readonly ended: Promise<void>;
  readonly #createdAt = new Date();
  readonly #deadlineAt: number | null;
  #end: () => void = () => undefined;
  #status: RunStatus;
  #attempt = 0;
  #epoch = 0;
  #result: unknown = null;
  #error: StoredError | null = null;
  #startedAt: Date | null = null;
  #completedAt: Date | null = null;

  constructor(run: NewRun, handler: Handler) {
    this.run = run;
    this.handler = handler;
    const from = Math.max(this.#createdAt.getTime(), run.runAfter?.getTime() ?? 0);
    this.#status = from > this.#createdAt.getTime() ? 'pending' : 'queued';
    this.#deadlineAt = run.deadlineMs === null ? null : from + run.deadlineMs;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
    this.#record('submitted', null);
  }

  get status(): RunStatus {
    return this.#status;
  }

  /** Why it may not start any more, by the clock of this process; null while it may. */
  get expired(): StoredError | null {
    const now = Date.now();
    const { expiresAt } = this.run;
    if (this.#deadlineAt !== null && this.#deadlineAt <= now)
      return expired('TimeoutError', 'the run was not done by its deadline');
    if (this.#startedAt === null && expiresAt !== null && expiresAt.getTime() <= now)
      return expired('ExpiredError', 'the run had not started when its time to live was over');
    return null;
  }

  /** The next attempt, which holds the execution from now on. */
  start(): ClaimedRun {
    this.#to('running');
    this.#attempt += 1;
    this.#epoch += 1;
    this.#startedAt ??= new Date();
    this.#record('started', null);
    const { run } = this;
    return {
      runId: run.runId,
      kind: run.kind,
      name: run.name,
      lane: run.lane,
      // Parsed anew: what one attempt does to its params the next one does not see.
      params: JSON.parse(run.params) as unknown,
      epoch: this.#epoch,
      attempt: this.#attempt,
      maxAttempts: run.maxAttempts,
      crashCount: 0,
      retryDelayMs: run.retryDelayMs,
      timeoutMs: run.timeoutMs,
      // There is no store of dead letters in a process.
      deadLetter: false,
      correlationId: run.correlationId,
      parentRunId: run.parentRunId,
      metadata: JSON.parse(run.metadata) as Record<string, unknown>,
      lastError: this.#error,
      retryPolicy: run.retryPolicy === null ? null : (JSON.parse(run.retryPolicy) as unknown),
      gates: null,
      runTimeLeftMs: this.#deadlineAt === null ? null : Math.max(0, this.#deadlineAt - Date.now()),
      paramsRef: null,
      traceContext: run.traceContext,
    };
  }

  /** Whether an attempt still holds the execution. */
  isHeldAt(epoch: number): boolean {
    return this.#status === 'running' && this.#epoch === epoch;
  }

  /** What an attempt's end leads to; dropped when the attempt no longer holds the execution. */
  settle(epoch: number, settlement: Settlement): 'settled' | 'fenced' {
    if (!this.isHeldAt(epoch)) return 'fenced';
    switch (settlement.type) {
      case 'completed':
        this.#result = settlement.result === null ? null : (JSON.parse(settlement.result) as unknown);
        this.#error = null;
        this.#finish('completed', null);
        return 'settled';
      case 'retry':
        this.#error = settlement.error;
        this.#to('queued');
        this.#record('retry_scheduled', { error: settlement.error, delay_ms: settlement.delayMs });
        return 'settled';
      case 'deferred':
        this.#attempt -= 1;
        this.#epoch += 1;
        this.#to('queued');
        this.#record('deferred', { reason: settlement.reason, delay_ms: settlement.delayMs });
        return 'settled';
      case 'handed_back':
        // Nobody else could take it.
        this.cancel(settlement.reason);
        return 'settled';
      case 'failed':
      case 'timed_out':
      case 'dead_lettered':
        this.fail(settlement.type === 'timed_out' ? 'timed_out' : 'failed', settlement.error);
        return 'settled';
      default:
        return assertNever(settlement);
    }
  }

  fail(status: 'failed' | 'timed_out', error: StoredError): void {
    this.#error = error;
    this.#finish(status, { error });
  }

  cancel(reason: string | null): void {
    const from = this.#status;
    this.#epoch += 1;
    this.#finish('cancelled', { reason, from });
  }

  /** An event of a handler. */
  append(epoch: number, type: string, data: unknown): 'appended' | 'fenced' {
    if (!this.isHeldAt(epoch)) return 'fenced';
    this.#record(type, data);
    return 'appended';
  }

  log(line: CapturedLine): void {
    if (this.logs.length < MAX_RECORDED) this.logs.push({ ...line, at: new Date() });
  }

  summary(): RunSummary {
    const { run } = this;
    return {
      runId: run.runId,
      kind: run.kind,
      name: run.name,
      lane: run.lane,
      status: this.#status,
      result: this.#result,
      error: this.#error,
      attempt: this.#attempt,
      maxAttempts: run.maxAttempts,
      correlationId: run.correlationId,
      parentRunId: run.parentRunId,
      createdAt: this.#createdAt,
      startedAt: this.#startedAt,
      completedAt: this.#completedAt,
    };
  }

  #finish(status: RunStatus, data: unknown): void {
    this.#to(status);
    this.#completedAt = new Date();
    this.#record(status, data);
    this.#end();
  }

  #to(status: RunStatus): void {
    invariant(
      canTransition(this.#status, status),
      `run ${this.run.runId} cannot go from ${this.#status} to ${status}`,
    );
    this.#status = status;
  }

  #record(type: string, data: unknown): void {
    // The end is always told.
    if (this.events.length >= MAX_RECORDED && !isTerminal(this.#status)) return;
    this.events.push({ type, epoch: this.#epoch, data, at: new Date() });
  }
}

function expired(type: string, message: string): StoredError {
  return { message, type, category: 'TIMEOUT', retryable: false };
}
