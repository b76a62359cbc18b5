/**
 * The executions of one executor.
 *
 * 1. An idempotency key names one execution for as long as that is kept. 2. What has ended is forgotten in the order it
 * ended, beyond `keep`; what has not is never forgotten.
 */
import { isTerminal } from '@spine/core';
import type { NewRun } from '@spine/database';
import type { WaitOptions } from '../../dispatch/dispatcher.ts';
import { orLimit } from '../limit.ts';
import { outcomeOf } from '../outcome.ts';
import { DEFAULT_WAIT_MS } from '../protocol.ts';
import type { ExecutionOutcome, ExecutionRef, Submission } from '../protocol.ts';
import type { Execution } from './execution.ts';

export class ExecutionStore {
  readonly #keep: number;
  readonly #byId = new Map<string, Execution>();
  readonly #byKey = new Map<string, Execution>();
  readonly #ended: Execution[] = [];

  constructor(keep: number) {
    this.#keep = keep;
  }

  /** All that are kept, in the order of submission. */
  all(): Execution[] {
    return [...this.#byId.values()];
  }

  get(ref: ExecutionRef): Execution | undefined {
    return this.#byId.get(ref.runId);
  }

  /** What an execution has started and what that has, as far as it has not ended. */
  descendants(runId: string): Execution[] {
    const found: Execution[] = [];
    for (const execution of this.#byId.values()) {
      if (execution.run.parentRunId !== runId) continue;
      if (!isTerminal(execution.status)) found.push(execution);
      found.push(...this.descendants(execution.run.runId));
    }
    return found;
  }

  /** What has the idempotency key of a run already; null if nothing has. */
  withKeyOf({
    idempotencyKey,
    specHash,
  }: NewRun): Extract<Submission, { type: 'existing' | 'conflict' }> | null {
    const known = idempotencyKey === null ? undefined : this.#byKey.get(idempotencyKey);
    if (known === undefined) return null;
    const type = known.run.specHash === specHash ? 'existing' : 'conflict';
    return { type, ref: { runId: known.run.runId } };
  }

  add(execution: Execution): void {
    const { runId, idempotencyKey } = execution.run;
    this.#byId.set(runId, execution);
    if (idempotencyKey !== null) this.#byKey.set(idempotencyKey, execution);
    void execution.ended.then(() => this.#forgetBeyond(execution));
  }

  async wait(ref: ExecutionRef, options: WaitOptions = {}): Promise<ExecutionOutcome> {
    const execution = this.get(ref);
    if (execution === undefined) return { type: 'not_found' };
    const { signal, timeoutMs = DEFAULT_WAIT_MS } = options;
    signal?.throwIfAborted();
    if (!isTerminal(execution.status)) await orLimit(execution.ended, timeoutMs, signal);
    return outcomeOf(execution.summary());
  }

  #forgetBeyond(ended: Execution): void {
    this.#ended.push(ended);
    while (this.#ended.length > this.#keep) {
      const oldest = this.#ended.shift();
      if (oldest === undefined) return;
      this.#byId.delete(oldest.run.runId);
      if (oldest.run.idempotencyKey !== null) this.#byKey.delete(oldest.run.idempotencyKey);
    }
  }
}
