/**
 * Runs everything at once and in order, for tests and scripts: no server, no concurrency, no waiting.
 *
 * 1. `submit` resolves when the run has ended. 2. Runs go one after the other, in the order of submission; what a handler
 * submits runs to its end inside it, as a function it calls would. 3. Time is not waited for: retries follow at once,
 * `run_after` is passed over. Time-outs are real.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { isTerminal } from '@spine/core';
import type { Execution } from './in-process/execution.ts';
import { InProcessExecutor } from './in-process/in-process-executor.ts';
import type { InProcessOptions } from './in-process/in-process-executor.ts';
import type { ThreadPool } from './threads/thread-pool.ts';

export interface MemoryExecutorOptions extends InProcessOptions {
  /** Calls isolated handlers. Default: none, and such a handler fails. The caller closes it. */
  readonly threads?: ThreadPool;
}

export class MemoryExecutor extends InProcessExecutor {
  readonly kind = 'memory';
  readonly concurrency = 1;
  readonly #inside = new AsyncLocalStorage<true>();
  #last: Promise<void> = Promise.resolve();

  constructor({ threads, ...options }: MemoryExecutorOptions) {
    super({ random: () => 0, ...options }, threads === undefined ? {} : { call: threads.call });
  }

  protected hasRoom(): boolean {
    return true;
  }

  protected begin(execution: Execution): Promise<void> {
    if (this.#inside.getStore() === true) return this.#toEnd(execution);
    this.#last = this.#last.then(() => this.#inside.run(true, () => this.#toEnd(execution)));
    return this.#last;
  }

  protected withdraw(): void {
    // What waits finds out in its turn that it has ended.
  }

  async #toEnd(execution: Execution): Promise<void> {
    while (!isTerminal(execution.status)) await this.attempt(execution);
  }
}
