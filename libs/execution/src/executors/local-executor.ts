/**
 * Runs handlers in this process, a bounded number at a time: for scripts, single machines and what waits for I/O.
 *
 * 1. At most `concurrency` attempts are under way; a run that waits for its next attempt holds no place. 2. Places are
 * given by priority, then in the order of becoming due. 3. At most `queueLimit` runs wait; a retry is never refused.
 */
import { ConfigError } from '@spine/core';
import type { Execution } from './in-process/execution.ts';
import { InProcessExecutor } from './in-process/in-process-executor.ts';
import type { InProcessOptions, InProcessRules } from './in-process/in-process-executor.ts';
import { PriorityQueue } from './in-process/priority-queue.ts';
import type { ExecutorKind } from './protocol.ts';
import type { ThreadPool } from './threads/thread-pool.ts';

export interface LocalExecutorOptions extends InProcessOptions {
  /** Attempts at the same time. Default 10. */
  readonly concurrency?: number;
  /** Runs that wait, those for a later instant among them. Default 10,000. */
  readonly queueLimit?: number;
  /** Calls isolated handlers. Default: none, and such a handler fails. The caller closes it. */
  readonly threads?: ThreadPool;
}

const DEFAULT_CONCURRENCY = 10;
const DEFAULT_QUEUE_LIMIT = 10_000;
/** setTimeout holds 24.8 days at the most. */
const MAX_TIMER_MS = 2_000_000_000;

export class LocalExecutor extends InProcessExecutor {
  readonly kind: ExecutorKind = 'local';
  readonly concurrency: number;
  readonly #queueLimit: number;
  readonly #due = new PriorityQueue<Execution>();
  readonly #later = new Map<Execution, NodeJS.Timeout>();
  #running = 0;

  /** @throws ConfigError for a concurrency or limit that is no positive integer. */
  constructor(options: LocalExecutorOptions, rules: InProcessRules = {}) {
    super(options, options.threads === undefined ? rules : { call: options.threads.call, ...rules });
    this.concurrency = positive('concurrency', options.concurrency ?? DEFAULT_CONCURRENCY);
    this.#queueLimit = positive('queueLimit', options.queueLimit ?? DEFAULT_QUEUE_LIMIT);
  }

  /** Attempts under way. */
  get running(): number {
    return this.#running;
  }

  /** Runs that wait for a place or for their time. */
  get waiting(): number {
    return this.#due.size + this.#later.size;
  }

  protected hasRoom(): boolean {
    return this.#running < this.concurrency || this.waiting < this.#queueLimit;
  }

  protected begin(execution: Execution): void {
    const { runAfter } = execution.run;
    this.#enqueue(execution, runAfter === null ? 0 : runAfter.getTime() - Date.now());
  }

  protected withdraw(execution: Execution): void {
    this.#due.remove(execution);
    clearTimeout(this.#later.get(execution));
    this.#later.delete(execution);
  }

  #enqueue(execution: Execution, delayMs: number): void {
    if (delayMs <= 0) {
      this.#due.push(execution, execution.run.priority);
      this.#fill();
      return;
    }
    const wait = Math.min(delayMs, MAX_TIMER_MS);
    this.#later.set(
      execution,
      setTimeout(() => {
        this.#later.delete(execution);
        this.#enqueue(execution, delayMs - wait);
      }, wait),
    );
  }

  /** Starts what is due while there are places. */
  #fill(): void {
    while (this.#running < this.concurrency && !this.closed) {
      const execution = this.#due.shift();
      if (execution === undefined) return;
      this.#running += 1;
      void this.#occupy(execution);
    }
  }

  async #occupy(execution: Execution): Promise<void> {
    try {
      const delayMs = await this.attempt(execution);
      if (delayMs !== null) this.#enqueue(execution, delayMs);
    } finally {
      this.#running -= 1;
      this.#fill();
    }
  }
}

function positive(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value >= 1) return value;
  throw new ConfigError(`${name} is ${value}; it must be an integer of at least 1`);
}
