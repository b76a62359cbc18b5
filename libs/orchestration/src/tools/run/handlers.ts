/** Functions by name, for runs in this process. */
import { ConflictError, ErrorCategory, findJsonProblems, isJsonObject } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import type { Attempt, StepExecutor } from '../../engine/executor.ts';
import type { Call } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';

/** What a step does. What it throws is the failure of the attempt. */
export type StepHandler = (params: JsonObject, attempt: Attempt) => StepResult | Promise<StepResult>;

/** A handler that needs nothing but its params: it serves in this process, and registered with a worker. */
export type AdaptedFunction = (params: JsonObject) => Promise<StepResult>;

/** A function that knows nothing of workflows. What it returns goes through `StepResult.fromValue`. */
export type PlainFunction = (...args: never[]) => unknown;

export interface FromFunctionOptions {
  /**
   * Names of the function's parameters, in order: it is called with their values, undefined where there is none. Default:
   * it is called with one object of all values, from which it takes what it wants (`({ rows }) => …`). Names are never read
   * off the function's text, which a bundler may have changed.
   */
  readonly takes?: readonly string[];
}

/** The params of a step whose function takes its values by name. */
const BY_NAME = 'by_name';

/**
 * A plain function as a step's handler. Its values are the step's params; where these were made by {@link byNameParams}, the
 * step's own config wins over the outputs of earlier steps, later ones over earlier ones, and these over the run's params.
 */
export function fromFunction(fn: PlainFunction, { takes }: FromFunctionOptions = {}): AdaptedFunction {
  return async (params) => {
    const values = valuesOf(params);
    // Whoever gives a function says what it takes: its parameters are its own business.
    const args = takes === undefined ? [Object.fromEntries(values)] : takes.map((name) => values.get(name));
    const returned: unknown = await fn(...(args as never[]));
    return resultOf(returned);
  };
}

/**
 * Params for a step with a plain function: its config, and references to the run's params and to everything that the steps
 * before it have made.
 *
 * @param earlier steps that come before, in the order in which their outputs count, the last one most.
 */
export function byNameParams(config: JsonObject, earlier: readonly string[]): JsonObject {
  const outputs = earlier.map((name) => `{{ steps["${name}"] }}`);
  return { [BY_NAME]: { config, outputs, params: '{{ params }}' } };
}

function valuesOf(params: JsonObject): ReadonlyMap<string, JsonValue> {
  const { [BY_NAME]: named, ...own } = params;
  if (named === undefined || !isJsonObject(named)) return new Map(Object.entries(params));
  const outputs: readonly JsonValue[] = Array.isArray(named['outputs']) ? named['outputs'] : [];
  const sources = [
    named['params'],
    ...outputs.map((step) => (isJsonObject(step) ? step['output'] : undefined)),
    named['config'],
    // Such as the failure that a failure handler is told of.
    own,
  ];
  return new Map(
    sources.flatMap((source) => (source !== undefined && isJsonObject(source) ? Object.entries(source) : [])),
  );
}

function resultOf(returned: unknown): StepResult {
  const problems = findJsonProblems(returned ?? null);
  const [first] = problems;
  if (first !== undefined)
    return StepResult.fail(
      `returned ${first.field === '' ? 'a value' : first.field} that is not JSON: ${first.message}`,
      {
        category: ErrorCategory.VALIDATION,
      },
    );
  return StepResult.fromValue(returned as JsonValue | undefined);
}

/** The handlers of workflows that run in this process. */
export class HandlerTable implements StepExecutor {
  readonly #handlers = new Map<string, StepHandler>();

  constructor(entries: Iterable<readonly [Call['kind'], string, StepHandler]> = []) {
    for (const [kind, name, handler] of entries) this.add(kind, name, handler);
  }

  /** @throws ConflictError where another handler has the name. */
  add(kind: Call['kind'], name: string, handler: StepHandler): this {
    const key = `${kind}:${name}`;
    const known = this.#handlers.get(key);
    if (known !== undefined && known !== handler) throw new ConflictError(`${key} is registered already`);
    this.#handlers.set(key, handler);
    return this;
  }

  /** Under the names of `other` too. @throws ConflictError as `add` does. */
  addAll(other: HandlerTable): this {
    for (const [kind, name, handler] of other.entries()) this.add(kind, name, handler);
    return this;
  }

  has(kind: Call['kind'], name: string): boolean {
    return this.#handlers.has(`${kind}:${name}`);
  }

  entries(): readonly (readonly [Call['kind'], string, StepHandler])[] {
    return [...this.#handlers].map(([key, handler]) => {
      const kind = key.startsWith('lambda:') ? 'lambda' : 'operation';
      return [kind, key.slice(kind.length + 1), handler] as const;
    });
  }

  run(name: string, params: JsonObject, attempt: Attempt): StepResult | Promise<StepResult> {
    const { kind } = attempt.command.call;
    const handler = this.#handlers.get(`${kind}:${name}`);
    if (handler !== undefined) return handler(params, attempt);
    return StepResult.fail(`no ${kind} is registered as ${name}`, { category: ErrorCategory.ORCHESTRATION });
  }
}
