/**
 * Runs batches on any executor.
 *
 * 1. At most `concurrency` items are submitted and not ended. 2. Every item has one outcome, in its place, whatever
 * happens to the others. 3. Once a batch is stopped or cancelled no item begins; one that was being submitted then is
 * cancelled as well. 4. Waiting costs what the executor's bulk wait costs, however many items there are.
 */
import { assertNever, toErrorInfo } from '@spine/core';
import { silentLogger } from '@spine/observability';
import type { Logger } from '@spine/observability';
import type { ExecutionRef, Executor, Submission } from '../executors/protocol.ts';
import type { Batch, BatchItem } from './builder.ts';
import { failureOf, summarize } from './result.ts';
import type { BatchItemResult, BatchProgress, BatchResult, ItemOutcome, SkipReason } from './result.ts';

/** A batch under way. */
export interface BatchHandle {
  readonly batchId: string;
  progress(): BatchProgress;
  /** Begins nothing more and cancels what is under way. Resolves when every item has ended. */
  cancel(reason?: string): Promise<BatchResult>;
  /** Resolves when every item has ended; rejects never. */
  result(): Promise<BatchResult>;
}

export interface BatchExecutorOptions {
  readonly logger?: Logger;
}

export interface RunBatchOptions {
  /** Cancels the batch when it is aborted. */
  readonly signal?: AbortSignal;
}

export class BatchExecutor {
  readonly #executor: Executor;
  readonly #logger: Logger;

  constructor(executor: Executor, options: BatchExecutorOptions = {}) {
    this.#executor = executor;
    this.#logger = options.logger ?? silentLogger();
  }

  /** Runs a batch to its end. */
  async run(batch: Batch, { signal }: RunBatchOptions = {}): Promise<BatchResult> {
    const handle = this.start(batch);
    const cancel = (): void => void handle.cancel();
    if (signal?.aborted === true) cancel();
    signal?.addEventListener('abort', cancel, { once: true });
    try {
      return await handle.result();
    } finally {
      signal?.removeEventListener('abort', cancel);
    }
  }

  /** Starts a batch and returns at once. */
  start(batch: Batch): BatchHandle {
    return new BatchRun(this.#executor, batch, this.#logger);
  }
}

/** Cancels under way at the same time. */
const CANCELS = 20;

class BatchRun implements BatchHandle {
  readonly #executor: Executor;
  readonly #batch: Batch;
  readonly #logger: Logger;
  readonly #results: (BatchItemResult | undefined)[] = [];
  readonly #underWay = new Map<string, ExecutionRef>();
  readonly #result: Promise<BatchResult>;
  #waitingForRoom: (() => void)[] = [];
  #next = 0;
  #begun = 0;
  #done = 0;
  #failed = 0;
  #stoppedBy: SkipReason | null = null;
  #reason: string | undefined;

  constructor(executor: Executor, batch: Batch, logger: Logger) {
    this.#executor = executor;
    this.#batch = batch;
    this.#logger = logger;
    this.#result = this.#run();
  }

  get batchId(): string {
    return this.#batch.batchId;
  }

  progress(): BatchProgress {
    const { items } = this.#batch;
    return { total: items.length, done: this.#done, failed: this.#failed, running: this.#begun - this.#done };
  }

  async cancel(reason?: string): Promise<BatchResult> {
    if (this.#stoppedBy === null) {
      this.#stoppedBy = 'cancelled';
      this.#reason = reason;
    }
    await this.#cancelAll();
    return this.#result;
  }

  result(): Promise<BatchResult> {
    return this.#result;
  }

  async #run(): Promise<BatchResult> {
    const started = performance.now();
    const { items, concurrency } = this.#batch;
    const places = Math.min(concurrency, this.#executor.concurrency ?? Infinity, items.length);
    // One turn later: the handle is its owner's before anything happens.
    await Promise.resolve();
    await Promise.all(Array.from({ length: places }, () => this.#occupy()));
    const stoppedBy = this.#stoppedBy;
    const results = items.map(
      ({ key }, index): BatchItemResult =>
        this.#results[index] ?? { key, outcome: this.#skipped(), reused: false },
    );
    const durationMs = Math.round(performance.now() - started);
    const { batchId, name } = this.#batch;
    // Stopped after its last item has begun: nothing was left out.
    const skipped = results.some(({ outcome }) => outcome.type === 'skipped' || outcome.type === 'cancelled');
    return summarize({ batchId, name }, results, { stoppedBy: skipped ? stoppedBy : null, durationMs });
  }

  /** One of the places: item after item, until there is none or the batch is stopped. */
  async #occupy(): Promise<void> {
    while (this.#stoppedBy === null) {
      const index = this.#next;
      const item = this.#batch.items[index];
      if (item === undefined) return;
      this.#next += 1;
      this.#begun += 1;
      this.#tell();
      const result = await this.#one(item).catch((error: unknown): BatchItemResult => ({
        key: item.key,
        outcome: { type: 'fault', error: toErrorInfo(error), ref: this.#underWay.get(item.key) ?? null },
        reused: false,
      }));
      this.#underWay.delete(item.key);
      this.#end(index, result);
    }
  }

  #end(index: number, result: BatchItemResult): void {
    this.#results[index] = result;
    this.#done += 1;
    if (failureOf(result.outcome) !== null) this.#failed += 1;
    for (const goOn of this.#waitingForRoom.splice(0)) goOn();
    if (this.#failed > this.#batch.maxFailures && this.#stoppedBy === null) {
      this.#stoppedBy = 'stopped';
      this.#reason = 'its batch was stopped: too many items have failed';
      if (this.#batch.cancelsWhenStopped) void this.#cancelAll();
    }
    this.#tell();
  }

  async #one(item: BatchItem): Promise<BatchItemResult> {
    const { key, spec } = item;
    const submission = await this.#submit(item);
    if (submission === null) return { key, outcome: this.#skipped(), reused: false };
    switch (submission.type) {
      case 'accepted':
      case 'existing': {
        const { ref } = submission;
        this.#underWay.set(key, ref);
        if (this.#stoppedBy === 'cancelled' || (this.#stoppedBy !== null && this.#batch.cancelsWhenStopped))
          await this.#cancel(ref);
        const outcome = await this.#executor.wait(ref, { timeoutMs: Infinity });
        return { key, outcome, reused: submission.type === 'existing' };
      }
      case 'conflict':
      case 'invalid':
      case 'unknown_handler':
      case 'rejected':
        this.#logger.debug({ batch_id: this.batchId, key, name: spec.name }, `item ${submission.type}`);
        return { key, outcome: submission, reused: false };
      default:
        return assertNever(submission);
    }
  }

  #skipped(): ItemOutcome {
    return { type: 'skipped', reason: this.#stoppedBy ?? 'stopped' };
  }

  /**
   * Submits; a full queue is waited for as long as items of this batch can make room in it. Null when the batch is
   * stopped meanwhile.
   */
  async #submit({ spec }: BatchItem): Promise<Submission | null> {
    while (this.#stoppedBy === null) {
      const submission = await this.#executor.submit(spec);
      const full = submission.type === 'rejected' && submission.reason === 'queue_full';
      const others = this.#begun - this.#done - 1 - this.#waitingForRoom.length;
      if (!full || others === 0) return submission;
      await new Promise<void>((resolve) => this.#waitingForRoom.push(resolve));
    }
    return null;
  }

  async #cancelAll(): Promise<void> {
    const refs = [...this.#underWay.values()];
    const cancelNext = async (): Promise<void> => {
      for (let ref = refs.pop(); ref !== undefined; ref = refs.pop()) await this.#cancel(ref);
    };
    await Promise.all(Array.from({ length: CANCELS }, cancelNext));
  }

  /** A run that cannot be cancelled goes on, and is waited for. */
  async #cancel(ref: ExecutionRef): Promise<void> {
    const reason = this.#reason ?? `its batch ${this.batchId} was cancelled`;
    await this.#executor.cancel(ref, reason).catch((error: unknown) => {
      this.#logger.warn({ err: error, run_id: ref.runId }, 'an item of a batch could not be cancelled');
    });
  }

  #tell(): void {
    try {
      this.#batch.onProgress?.(this.progress());
    } catch (error) {
      this.#logger.warn({ err: error, batch_id: this.batchId }, 'a progress listener failed');
    }
  }
}
