/**
 * What the executors of one process have in common; how they give out their attempts is their own.
 *
 * 1. After close() nothing starts: what waits is cancelled at once, what runs after the grace. 2. Cancelling a run
 * cancels what it has started. 3. What is kept of a run is what a worker would have stored: state, history, log.
 */
import { isTerminal } from '@spine/core';
import type { Db } from '@spine/database';
import { createLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import type { WaitOptions } from '../../dispatch/dispatcher.ts';
import { within } from '../../queue/within.ts';
import type { HandlerRegistry } from '../../registry/registry.ts';
import type { WorkSpec } from '../../spec/work-spec.ts';
import { callInProcess } from '../../worker/attempt-end.ts';
import type { RunSummary } from '../../worker/context.ts';
import { DEFAULT_GRACE_MS } from '../protocol.ts';
import type {
  Cancellation,
  CloseOptions,
  ExecutionOutcome,
  ExecutionRef,
  Executor,
  ExecutorKind,
  Submission,
} from '../protocol.ts';
import { admit } from './admission.ts';
import type { AdmissionRules } from './admission.ts';
import { AttemptRunner } from './attempt-runner.ts';
import type { AttemptRunnerOptions } from './attempt-runner.ts';
import { ExecutionStore } from './execution-store.ts';
import type { Execution, RecordedEvent, RecordedLog } from './execution.ts';

export interface InProcessOptions {
  readonly registry: HandlerRegistry;
  /** For `ctx.transaction`. Default: none, and such a handler fails. */
  readonly db?: Db;
  /** Gets what handlers log, beside the record of their run. Default: nobody. */
  readonly logger?: Logger;
  /** Executions remembered after their end, with their idempotency keys. Default 10,000. */
  readonly keep?: number;
  /** In [0, 1), for the spread of waits. Default Math.random. */
  readonly random?: () => number;
}

/** What an executor adds to the common rules. */
export type InProcessRules = Partial<Pick<AttemptRunnerOptions, 'call'> & Pick<AdmissionRules, 'refuse'>>;

/** An execution with all that was recorded of it. */
export interface ExecutionHistory {
  readonly run: RunSummary;
  readonly events: readonly RecordedEvent[];
  readonly logs: readonly RecordedLog[];
}

const DEFAULT_KEEP = 10_000;

export abstract class InProcessExecutor implements Executor {
  abstract readonly kind: ExecutorKind;
  abstract readonly concurrency: number;
  protected readonly store: ExecutionStore;
  protected readonly attempts: AttemptRunner;
  readonly #rules: AdmissionRules;
  #closed = false;

  constructor(options: InProcessOptions, rules: InProcessRules = {}) {
    this.#rules = { registry: options.registry, ...rules };
    this.store = new ExecutionStore(options.keep ?? DEFAULT_KEEP);
    this.attempts = new AttemptRunner({
      // Not the silent one: what is recorded shows no secret either.
      logger: options.logger ?? createLogger({ service: 'executor', level: 'silent' }),
      db: options.db ?? null,
      submit: (spec) => this.submit(spec),
      summary: (runId) => this.store.get({ runId })?.summary() ?? null,
      call: rules.call ?? callInProcess,
      random: options.random ?? Math.random,
    });
  }

  async submit(spec: WorkSpec): Promise<Submission> {
    if (this.#closed) return { type: 'rejected', reason: 'closed' };
    const admission = admit(spec, this.#rules);
    if (admission.type !== 'admitted') return admission;
    const { execution } = admission;
    const known = this.store.withKeyOf(execution.run);
    if (known !== null) return known;
    if (!this.hasRoom()) return { type: 'rejected', reason: 'queue_full' };
    this.store.add(execution);
    await this.begin(execution);
    return { type: 'accepted', ref: { runId: execution.run.runId }, warnings: [] };
  }

  status(ref: ExecutionRef): Promise<RunSummary | null> {
    return Promise.resolve(this.store.get(ref)?.summary() ?? null);
  }

  wait(ref: ExecutionRef, options?: WaitOptions): Promise<ExecutionOutcome> {
    return this.store.wait(ref, options);
  }

  cancel(ref: ExecutionRef, reason?: string): Promise<Cancellation> {
    const execution = this.store.get(ref);
    if (execution === undefined) return Promise.resolve({ type: 'not_found' });
    const from = execution.status;
    if (isTerminal(from)) return Promise.resolve({ type: 'terminal', status: from });
    this.#cancel(execution, reason ?? null);
    for (const descendant of this.store.descendants(ref.runId)) {
      this.#cancel(descendant, `parent ${ref.runId} was cancelled`);
    }
    return Promise.resolve({ type: 'cancelled', from });
  }

  async close({ graceMs = DEFAULT_GRACE_MS }: CloseOptions = {}): Promise<void> {
    this.#closed = true;
    const running = new Set(this.attempts.running);
    for (const execution of this.store.all()) {
      if (!running.has(execution) && !isTerminal(execution.status)) this.#cancel(execution, CLOSED);
    }
    await within(graceMs, Promise.all([...running].map(({ ended }) => ended)));
    for (const execution of this.attempts.running) this.attempts.interrupt(execution, 'shutdown');
    await Promise.all([...running].map(({ ended }) => ended));
  }

  /** Everything recorded of an execution; null for one that is not known. */
  history(ref: ExecutionRef): ExecutionHistory | null {
    const execution = this.store.get(ref);
    if (execution === undefined) return null;
    return { run: execution.summary(), events: [...execution.events], logs: [...execution.logs] };
  }

  /** Every execution that is kept, in the order of submission. */
  all(): RunSummary[] {
    return this.store.all().map((execution) => execution.summary());
  }

  /** Whether one more may be accepted. */
  protected abstract hasRoom(): boolean;

  /** Takes an accepted execution to its attempts. */
  protected abstract begin(execution: Execution): Promise<void> | void;

  /** Drops an execution from what waits, wherever it does. */
  protected abstract withdraw(execution: Execution): void;

  protected get closed(): boolean {
    return this.#closed;
  }

  /** Makes one attempt; answers with the wait before the next, null when there is none. */
  protected async attempt(execution: Execution): Promise<number | null> {
    const delayMs = await this.attempts.run(execution);
    if (delayMs === null || !this.#closed) return delayMs;
    this.#cancel(execution, CLOSED);
    return null;
  }

  #cancel(execution: Execution, reason: string | null): void {
    this.withdraw(execution);
    execution.cancel(reason);
    this.attempts.interrupt(execution, 'cancelled');
  }
}

const CLOSED = 'the executor was closed';
