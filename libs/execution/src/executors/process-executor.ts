/**
 * Runs handlers in threads: for what computes. Its handlers are registered by module and export; whatever one of them
 * does, its time-out or its cancel ends it, because the thread is terminated.
 */
import type { HandlerRegistry } from '../registry/registry.ts';
import type { LocalExecutorOptions } from './local-executor.ts';
import { LocalExecutor } from './local-executor.ts';
import type { CloseOptions } from './protocol.ts';
import { checkIsolated, ThreadPool } from './threads/thread-pool.ts';
import type { ThreadPoolOptions } from './threads/thread-pool.ts';

export interface ProcessExecutorOptions
  extends
    Omit<LocalExecutorOptions, 'concurrency' | 'db' | 'threads'>,
    Omit<ThreadPoolOptions, 'threads' | 'logger'> {
  /** Attempts at the same time. Default: one less than the machine's cores, at least one. */
  readonly threads?: number;
}

export class ProcessExecutor extends LocalExecutor {
  override readonly kind = 'process';
  readonly #registry: HandlerRegistry;
  readonly #threads: ThreadPool;

  /** @throws ConfigError for a root that is no directory, and for numbers out of range. */
  constructor(options: ProcessExecutorOptions) {
    const { threads, ...rest } = options;
    const pool = new ThreadPool({ ...rest, ...(threads === undefined ? {} : { threads }) });
    super(
      { ...rest, concurrency: pool.threads },
      {
        call: pool.call,
        refuse: ({ key, isolated }) =>
          isolated === null
            ? {
                field: 'name',
                code: 'not_isolated',
                message: `handler ${key} is registered as a function; a thread needs a module and an export`,
              }
            : null,
      },
    );
    this.#registry = options.registry;
    this.#threads = pool;
  }

  /**
   * Loads the code of every isolated handler once.
   * @throws ConfigError naming one that is not there.
   */
  check(): Promise<void> {
    return checkIsolated(this.#registry, this.#threads);
  }

  override async close(options?: CloseOptions): Promise<void> {
    await super.close(options);
    await this.#threads.close();
  }
}
