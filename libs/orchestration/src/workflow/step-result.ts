/** What a step answers: the one envelope by which the planner decides success, routing, retries and quality. */
import { ErrorCategory, isJsonObject, toErrorInfo } from '@spine/core';
import type { ErrorInfo, JsonObject, JsonValue } from '@spine/core';
import { modificationProblem } from './check-modification.ts';
import type { Modification } from './modification.ts';
import { QualityMetrics } from './quality-metrics.ts';

/** What a step that has done its work may say besides its output. */
export interface OkOptions {
  /** Merged into the context of the run, key by key; of parallel steps the one that settles last wins. */
  readonly contextUpdates?: JsonObject;
  readonly quality?: QualityMetrics;
  /** Of the steps that could follow, the only one that does; see `StepResult.withNextStep`. */
  readonly nextStep?: string;
  /** Changes of this run's plan, applied in order before the next steps start. */
  readonly modifications?: readonly Modification[];
}

export interface OkResult extends OkOptions {
  readonly status: 'ok';
  readonly output: JsonObject;
}

export interface FailResult {
  readonly status: 'fail';
  readonly error: ErrorInfo;
  readonly quality?: QualityMetrics;
}

/** Nothing was to be done, which is a success: what depends on the step goes on. */
export interface SkipResult {
  readonly status: 'skip';
  readonly reason: string;
}

export type StepResult = OkResult | FailResult | SkipResult;

export interface FailOptions {
  /** Default OPERATION. */
  readonly category?: ErrorCategory;
  /** Whether another attempt may help. Default: true for the categories in {@link TRANSIENT_CATEGORIES}. */
  readonly retryable?: boolean;
  /** The soonest another attempt makes sense. Default null: the policy decides. */
  readonly retryAfterSeconds?: number | null;
  readonly quality?: QualityMetrics;
  /** The name of the error's class. Default `StepFailed`. */
  readonly type?: string;
}

/** What may be different the next time. */
export const TRANSIENT_CATEGORIES: ReadonlySet<ErrorCategory> = new Set([
  ErrorCategory.NETWORK,
  ErrorCategory.DATABASE,
  ErrorCategory.STORAGE,
  ErrorCategory.TIMEOUT,
  ErrorCategory.RESOURCE,
]);

function ok(output: JsonObject = {}, options: OkOptions = {}): OkResult {
  return { ...options, status: 'ok', output };
}

/** @param error a message, or anything thrown: a `SpineError` keeps its own category and whether it is retryable. */
function fail(error: unknown, options: FailOptions = {}): FailResult {
  const quality = options.quality === undefined ? {} : { quality: options.quality };
  if (typeof error !== 'string') return { status: 'fail', error: toErrorInfo(error), ...quality };
  const category = options.category ?? ErrorCategory.OPERATION;
  return {
    status: 'fail',
    error: {
      ...toErrorInfo(new Error(error)),
      type: options.type ?? 'StepFailed',
      category,
      retryable: options.retryable ?? TRANSIENT_CATEGORIES.has(category),
      retryAfterSeconds: options.retryAfterSeconds ?? null,
    },
    ...quality,
  };
}

function skip(reason: string): SkipResult {
  return { status: 'skip', reason };
}

/**
 * A success that chooses what follows. In a parallel workflow `next` must depend on the step, and the other steps that
 * depend on it are not taken; in a sequential one `next` comes later in the list, and those between are not taken.
 */
function withNextStep(next: string, output: JsonObject = {}, options: OkOptions = {}): OkResult {
  return { ...options, status: 'ok', output, nextStep: next };
}

/**
 * What a plain function returned as a result: an object is the output; null and undefined an empty one; `false` a failure;
 * `true` an empty success; anything else becomes `{ value }`. A StepResult made by the functions here stays itself; one with
 * parts that are none, e.g. `modifications` that nobody can read, is a failure. Of a failure a `quality` that is none is left
 * out: why the step has failed counts for more.
 */
function fromValue(value: JsonValue | StepResult | undefined): StepResult {
  if (value === null || value === undefined || value === true) return ok();
  if (value === false) return fail('the function returned false');
  if (!isStepResult(value)) return isJsonObject(value) ? ok(value) : ok({ value });
  const problem = value.status === 'ok' ? optionsProblem(value) : null;
  if (problem === null) return withWholeQuality(value);
  return fail(`the result of the step is broken: ${problem}`, {
    category: ErrorCategory.VALIDATION,
    type: 'BadResultError',
  });
}

const RESULT_KEYS = {
  ok: new Set(['status', 'output', 'contextUpdates', 'quality', 'nextStep', 'modifications']),
  fail: new Set(['status', 'error', 'quality']),
  skip: new Set(['status', 'reason']),
} as const;

/** A plain output may well have a key `status`: only the shape of a whole result, with nothing besides, counts as one. */
function isStepResult(value: JsonValue | StepResult): value is StepResult {
  if (typeof value !== 'object' || value === null || !('status' in value)) return false;
  const held = new Map<string, unknown>(Object.entries(value));
  const has = (status: keyof typeof RESULT_KEYS): boolean =>
    value.status === status && [...held.keys()].every((key) => RESULT_KEYS[status].has(key));
  if (has('ok')) return isObject(held.get('output'));
  if (has('fail')) return isErrorInfo(held.get('error'));
  return has('skip') && typeof held.get('reason') === 'string';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isErrorInfo(value: unknown): boolean {
  if (!isObject(value) || !('message' in value) || !('category' in value) || !('retryable' in value))
    return false;
  const isCategory = Object.values<unknown>(ErrorCategory).includes(value.category);
  return typeof value.message === 'string' && typeof value.retryable === 'boolean' && isCategory;
}

/** Types say what these are; JSON that a step has answered may be anything. */
function optionsProblem(result: OkOptions): string | null {
  const held = new Map<string, unknown>(Object.entries(result));
  const [context, next, quality, modifications] = [
    held.get('contextUpdates'),
    held.get('nextStep'),
    held.get('quality'),
    held.get('modifications'),
  ];
  if (context !== undefined && !isObject(context)) return 'contextUpdates is no object';
  if (next !== undefined && typeof next !== 'string') return 'nextStep is no text';
  const wrong = quality === undefined ? null : QualityMetrics.problemOf(quality as JsonValue);
  if (wrong !== null) return `quality ${wrong}`;
  if (modifications === undefined) return null;
  if (!Array.isArray(modifications)) return 'modifications is no list';
  for (const [index, modification] of modifications.entries()) {
    const problem = modificationProblem(modification);
    if (problem !== null) return `modifications[${index}] ${problem}`;
  }
  return null;
}

/** JSON may leave out what has a default. */
function withWholeQuality(result: StepResult): StepResult {
  if (result.status === 'skip' || result.quality === undefined) return result;
  const { quality, ...rest } = result;
  const isWhole = QualityMetrics.problemOf({ ...quality }) === null;
  return isWhole ? { ...rest, quality: QualityMetrics.of(quality) } : rest;
}

export const StepResult = { ok, fail, skip, withNextStep, fromValue } as const;
