/**
 * Runs nothing: says what would run. A dry run of a script or a batch finds unknown handlers and bad params, and shows
 * which runs there would be.
 */
import { isTerminal, toErrorInfo } from '@spine/core';
import type { Priority, RunKind } from '@spine/core';
import { decideSettlement } from '../policy/retry.ts';
import { endOfCall } from '../worker/attempt-end.ts';
import type { Execution } from './in-process/execution.ts';
import { InProcessExecutor } from './in-process/in-process-executor.ts';
import type { InProcessOptions } from './in-process/in-process-executor.ts';

/** What a handler is said to do. */
export type CannedResult =
  | { readonly type: 'completed'; readonly result: unknown }
  | { readonly type: 'failed'; readonly error: Error };

export interface StubExecutorOptions extends Pick<InProcessOptions, 'registry' | 'keep'> {
  /** By handler key, `kind:name`. Default: completed, without a result. */
  readonly results?: Readonly<Record<string, CannedResult>>;
}

/** A run that would have been. */
export interface PlannedRun {
  readonly runId: string;
  readonly kind: RunKind;
  readonly name: string;
  readonly params: unknown;
  readonly lane: string;
  readonly priority: Priority;
  readonly maxAttempts: number;
  readonly timeoutMs: number;
  readonly idempotencyKey: string | null;
  readonly parentRunId: string | null;
  readonly runAfter: Date | null;
}

export class StubExecutor extends InProcessExecutor {
  readonly kind = 'stub';
  readonly concurrency = 1;
  readonly #results: ReadonlyMap<string, CannedResult>;
  readonly #planned: PlannedRun[] = [];

  constructor({ results = {}, ...options }: StubExecutorOptions) {
    super(options);
    this.#results = new Map(Object.entries(results));
  }

  /** What would have run, in the order of submission. */
  get planned(): readonly PlannedRun[] {
    return [...this.#planned];
  }

  protected hasRoom(): boolean {
    return true;
  }

  protected withdraw(): void {
    // Nothing waits.
  }

  protected async begin(execution: Execution): Promise<void> {
    const { run } = execution;
    this.#planned.push({
      runId: run.runId,
      kind: run.kind,
      name: run.name,
      params: JSON.parse(run.params) as unknown,
      lane: run.lane,
      priority: run.priority,
      maxAttempts: run.maxAttempts,
      timeoutMs: run.timeoutMs,
      idempotencyKey: run.idempotencyKey,
      parentRunId: run.parentRunId,
      runAfter: run.runAfter,
    });
    const canned = this.#results.get(execution.handler.key) ?? { type: 'completed', result: null };
    const claimed = execution.start();
    // No second attempt: what is canned would not change.
    const budget = { ...claimed, maxAttempts: claimed.attempt };
    const end =
      canned.type === 'completed'
        ? await endOfCall(() => canned.result)
        : ({ type: 'threw', error: toErrorInfo(canned.error) } as const);
    if (!isTerminal(execution.status)) execution.settle(claimed.epoch, decideSettlement(budget, end, 0));
  }
}
