/** Runs work on the engine: any worker takes it, Postgres keeps it, whatever queue carries the hints. */
import { assertNever, InvariantError } from '@spine/core';
import { asQueryable } from '@spine/database';
import type { Db } from '@spine/database';
import type { Logger } from '@spine/observability';
import type { Dispatcher, WaitOptions } from '../dispatch/dispatcher.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { RunSummary } from '../worker/context.ts';
import { orLimit } from './limit.ts';
import { outcomeOf } from './outcome.ts';
import { DEFAULT_WAIT_MS } from './protocol.ts';
import type { Cancellation, ExecutionOutcome, ExecutionRef, Executor, Submission } from './protocol.ts';
import { RunWatcher } from './run-watcher.ts';

export interface QueueExecutorOptions {
  readonly dispatcher: Dispatcher;
  /** For the question which runs have ended. */
  readonly db: Db;
  readonly logger: Logger;
}

export class QueueExecutor implements Executor {
  readonly kind = 'queue';
  readonly concurrency = null;
  readonly #dispatcher: Dispatcher;
  readonly #watcher: RunWatcher;
  #closed = false;

  /** @param options an engine has them all; closing the executor leaves the engine open. */
  constructor(options: QueueExecutorOptions) {
    this.#dispatcher = options.dispatcher;
    this.#watcher = new RunWatcher(asQueryable(options.db), options.logger);
  }

  async submit(spec: WorkSpec): Promise<Submission> {
    if (this.#closed) return { type: 'rejected', reason: 'closed' };
    const outcome = await this.#dispatcher.submit(spec);
    switch (outcome.type) {
      case 'accepted':
        return { type: 'accepted', ref: { runId: outcome.runId }, warnings: outcome.warnings };
      case 'existing':
      case 'conflict':
        return { type: outcome.type, ref: { runId: outcome.run.runId } };
      case 'invalid':
      case 'unknown_handler':
        return outcome;
      case 'fenced':
        throw new InvariantError('a submission without a parent was fenced');
      default:
        return assertNever(outcome);
    }
  }

  status({ runId }: ExecutionRef): Promise<RunSummary | null> {
    return this.#dispatcher.get(runId);
  }

  async wait(ref: ExecutionRef, options: WaitOptions = {}): Promise<ExecutionOutcome> {
    const watch = this.#watcher.watch(ref.runId);
    try {
      const watched = await orLimit(watch.ended, options.timeoutMs ?? DEFAULT_WAIT_MS, options.signal);
      if (watched === 'missing') return { type: 'not_found' };
      if (watched !== null && watched !== 'closed' && watched.resultRef === null) return outcomeOf(watched);
    } finally {
      watch.stop();
    }
    const run = await this.#dispatcher.read(ref.runId);
    return run === null ? { type: 'not_found' } : outcomeOf(run);
  }

  cancel({ runId }: ExecutionRef, reason?: string): Promise<Cancellation> {
    return this.#dispatcher.cancel(runId, reason ?? null, 'executor');
  }

  close(): Promise<void> {
    this.#closed = true;
    this.#watcher.close();
    return Promise.resolve();
  }
}
