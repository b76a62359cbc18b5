/** A batch: many specs that belong together, and how they are run. */
import { newId, sha256Hex, ValidationError } from '@spine/core';
import { LIMITS } from '../spec/limits.ts';
import type { WorkSpec } from '../spec/work-spec.ts';
import type { BatchProgress } from './result.ts';

export interface BatchItem {
  /** What tells the item apart in its batch. */
  readonly key: string;
  readonly spec: WorkSpec;
}

export interface Batch {
  readonly batchId: string;
  readonly name: string | null;
  readonly items: readonly BatchItem[];
  /** Items under way at the most; the executor may have a lower bound. */
  readonly concurrency: number;
  /** The batch stops when more items than this have failed. */
  readonly maxFailures: number;
  /** Whether a batch that stops also cancels what it has under way. */
  readonly cancelsWhenStopped: boolean;
  readonly onProgress: ((progress: BatchProgress) => void) | null;
}

const BATCH_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$/;
const DEFAULT_CONCURRENCY = 1_000;

/**
 * Collects a batch step by step:
 *
 *     new BatchBuilder().named('weeks').withId('weeks-2026-11').addAll(specs).maxFailures(10).build()
 */
export class BatchBuilder {
  readonly #items: { readonly spec: WorkSpec; readonly key: string }[] = [];
  readonly #keys = new Set<string>();
  #name: string | null = null;
  #batchId: string | null = null;
  #correlationId: string | null = null;
  #concurrency = DEFAULT_CONCURRENCY;
  #maxFailures = Infinity;
  #cancelsWhenStopped = false;
  #onProgress: ((progress: BatchProgress) => void) | null = null;

  /** For people; shown in logs. */
  named(name: string): this {
    this.#name = name;
    return this;
  }

  /**
   * The batch's identity: a second batch with the same id runs none of its items again. Default: a new one.
   * @throws ValidationError unless it is a letter or digit and at most 99 further letters, digits, `_`, `.` or `-`.
   */
  withId(batchId: string): this {
    if (!BATCH_ID.test(batchId)) throw refuse('batch_id', batchId, `must match ${BATCH_ID.source}`);
    this.#batchId = batchId;
    return this;
  }

  /** The correlation id of items that have none of their own. Default: the batch id. */
  correlatedBy(correlationId: string): this {
    if (correlationId === '' || correlationId.length > LIMITS.keyLength)
      throw refuse('correlation_id', correlationId, `must have 1 to ${LIMITS.keyLength} characters`);
    this.#correlationId = correlationId;
    return this;
  }

  /**
   * Adds an item.
   * @param key what tells it apart in its batch, whatever its position. Default: its position.
   * @throws ValidationError for a key that is empty or taken.
   */
  add(spec: WorkSpec, key: string = String(this.#items.length)): this {
    if (key === '') throw refuse('key', key, 'must not be empty');
    if (this.#keys.has(key)) throw refuse('key', key, 'is the key of another item of this batch');
    this.#keys.add(key);
    this.#items.push({ spec, key });
    return this;
  }

  /** Adds items by position. */
  addAll(specs: Iterable<WorkSpec>): this {
    for (const spec of specs) this.add(spec);
    return this;
  }

  /** Items under way at the most. Default 1,000. */
  withConcurrency(concurrency: number): this {
    if (!Number.isSafeInteger(concurrency) || concurrency < 1)
      throw refuse('concurrency', concurrency, 'must be an integer of at least 1');
    this.#concurrency = concurrency;
    return this;
  }

  /** Stops when more items than this have failed; what is under way goes on. Default: never. */
  maxFailures(failures: number): this {
    if (!Number.isSafeInteger(failures) || failures < 0)
      throw refuse('max_failures', failures, 'must be an integer of at least 0');
    this.#maxFailures = failures;
    this.#cancelsWhenStopped = false;
    return this;
  }

  /** Stops at the first failure, and cancels what is under way. */
  failFast(): this {
    this.#maxFailures = 0;
    this.#cancelsWhenStopped = true;
    return this;
  }

  /** Told whenever an item begins or ends; what it throws is logged. */
  onProgress(listener: (progress: BatchProgress) => void): this {
    this.#onProgress = listener;
    return this;
  }

  build(): Batch {
    const batchId = this.#batchId ?? newId();
    const correlationId = this.#correlationId ?? batchId;
    return {
      batchId,
      name: this.#name,
      items: this.#items.map(({ spec, key }) => ({
        key,
        spec: { correlationId, idempotencyKey: itemKey(batchId, key), ...spec },
      })),
      concurrency: this.#concurrency,
      maxFailures: this.#maxFailures,
      cancelsWhenStopped: this.#cancelsWhenStopped,
      onProgress: this.#onProgress,
    };
  }
}

/** The idempotency key of an item. A batch id holds no colon, so two batches never share one. */
function itemKey(batchId: string, key: string): string {
  const readable = `batch:${batchId}:${key}`;
  return readable.length <= LIMITS.keyLength ? readable : `batch:${batchId}:${sha256Hex(key)}`;
}

function refuse(field: string, value: string | number, message: string): ValidationError {
  return new ValidationError(`${field} ${JSON.stringify(value)} ${message}`, {
    issues: [{ field, code: 'invalid', message }],
  });
}
