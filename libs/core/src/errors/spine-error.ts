import type { JsonObject, JsonValue } from '../json/json-value.ts';
import { toStorableText, truncateText } from '../text.ts';
import { ErrorCategory } from './category.ts';
import { mergeContext, type ErrorContext } from './context.ts';
import { describeThrown } from './describe-thrown.ts';
import { toPlainJson } from './plain-json.ts';

export interface SpineErrorOptions {
  /** Default: the class's `defaultCategory`. */
  readonly category?: ErrorCategory;
  /** Whether trying again may help. Default: the class's `defaultRetryable`. */
  readonly retryable?: boolean;
  /** The soonest a retry makes sense, in seconds. Default null: the retry policy decides. */
  readonly retryAfterSeconds?: number | null;
  readonly context?: ErrorContext;
  /** What was caught when this error was made; any value. */
  readonly cause?: unknown;
}

/** What `toDict` returns: JSON with snake_case names. */
export interface SpineErrorDict {
  readonly type: string;
  readonly message: string;
  readonly category: ErrorCategory;
  readonly retryable: boolean;
  readonly retry_after: number | null;
  readonly context: JsonObject;
  readonly cause: { readonly type: string; readonly message: string } | null;
}

/** Longest message an error record keeps, in UTF-16 code units. */
export const MAX_ERROR_MESSAGE_LENGTH = 4_000;

/**
 * The base of every error Spine throws on purpose. Callers decide by type, `category` and `retryable`; nobody
 * parses messages. Subclasses override `defaultCategory` and `defaultRetryable`; `name` is the class's name.
 */
export class SpineError extends Error {
  static readonly defaultCategory: ErrorCategory = ErrorCategory.INTERNAL;
  static readonly defaultRetryable: boolean = false;

  readonly category: ErrorCategory;
  readonly retryable: boolean;
  /** Seconds, zero or more; null when the error does not say. */
  readonly retryAfterSeconds: number | null;
  #context: ErrorContext;

  constructor(message: string, options: SpineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    // Not enumerable, like the `name` every Error inherits: loggers and equality checks must not see a field more.
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true, writable: true });
    this.category = options.category ?? new.target.defaultCategory;
    this.retryable = options.retryable ?? new.target.defaultRetryable;
    this.retryAfterSeconds = usableSeconds(options.retryAfterSeconds);
    this.#context = mergeContext({}, options.context ?? {});
  }

  /** Small JSON that is kept with the record of a run that fails with this error. Null, unless a subclass has some. */
  get details(): JsonObject | null {
    return null;
  }

  get context(): ErrorContext {
    return this.#context;
  }

  /** Adds to the context (later values win, `metadata` is merged key by key) and returns this same error. */
  withContext(patch: ErrorContext): this {
    this.#context = mergeContext(this.#context, patch);
    return this;
  }

  /**
   * This error as plain JSON for records and logs: no stack, text storable and bounded, only the context
   * fields that are set. Never throws, whatever the cause or the metadata hold.
   */
  toDict(): SpineErrorDict {
    return {
      type: this.name,
      message: toStorableText(truncateText(this.message, MAX_ERROR_MESSAGE_LENGTH)),
      category: this.category,
      retryable: this.retryable,
      retry_after: this.retryAfterSeconds,
      context: contextDict(this.#context),
      cause: this.cause === undefined ? null : describeThrown(this.cause, MAX_ERROR_MESSAGE_LENGTH),
    };
  }
}

/** An error constructor must not fail, so a nonsense delay (NaN, negative, infinite) counts as "not said". */
function usableSeconds(seconds: number | null | undefined): number | null {
  return typeof seconds === 'number' && Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}

function contextDict(context: ErrorContext): JsonObject {
  const named: readonly (readonly [string, unknown])[] = [
    ['workflow', context.workflow],
    ['step', context.step],
    ['run_id', context.runId],
    ['execution_id', context.executionId],
    ['source_name', context.sourceName],
    ['source_type', context.sourceType],
    ['url', context.url],
    ['http_status', context.httpStatus],
    ['metadata', context.metadata],
  ];
  const fields: [string, JsonValue][] = [];
  for (const [name, value] of named) if (value !== undefined) fields.push([name, toPlainJson(value)]);
  return Object.fromEntries(fields);
}
