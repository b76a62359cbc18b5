/**
 * What a step sees of its run: a snapshot. Nothing that happens later changes one, and `with…` gives another.
 */
import type { JsonObject, JsonValue } from '@spine/core';
import { PersistentMap } from './persistent-map.ts';
import type { WorkflowState } from './state.ts';

interface Snapshot {
  readonly runId: string;
  readonly environment: string;
  readonly params: JsonObject;
  readonly context: JsonObject;
  readonly outputs: PersistentMap<JsonObject>;
  /** Where outputs are that `outputs` does not hold. */
  readonly state: WorkflowState | null;
}

export class WorkflowContext {
  readonly #at: Snapshot;

  private constructor(at: Snapshot) {
    this.#at = at;
  }

  /** A context of its own, for functions that are called outside a run. */
  static of(
    params: JsonObject = {},
    options: { readonly runId?: string; readonly environment?: string; readonly context?: JsonObject } = {},
  ): WorkflowContext {
    const { runId = '', environment = 'production', context = {} } = options;
    return new WorkflowContext({
      runId,
      environment,
      params,
      context,
      outputs: new PersistentMap(),
      state: null,
    });
  }

  /** What there is at this point of a run; costs the same however long the run is. */
  static at(state: WorkflowState): WorkflowContext {
    const { runId, environment, params, context } = state.head;
    return new WorkflowContext({ runId, environment, params, context, outputs: new PersistentMap(), state });
  }

  get runId(): string {
    return this.#at.runId;
  }

  get environment(): string {
    return this.#at.environment;
  }

  get params(): JsonObject {
    return this.#at.params;
  }

  /** What steps have put into the context of the run. */
  get context(): JsonObject {
    return this.#at.context;
  }

  /** A param of the run, or `fallback` where there is none. */
  getParam(name: string, fallback: JsonValue | null = null): JsonValue {
    return own(this.#at.params, name) ?? fallback;
  }

  /** Whether a step has completed. */
  hasOutput(step: string): boolean {
    return this.#outputOf(step) !== undefined;
  }

  /** One field of a step's output; `fallback` where the step has not completed or its output has no such field. */
  getOutput(step: string, key: string, fallback: JsonValue | null = null): JsonValue {
    const output = this.#outputOf(step);
    return output === undefined ? fallback : (own(output, key) ?? fallback);
  }

  /** All of a step's output; `{}` where it has not completed. */
  outputOf(step: string): JsonObject {
    return this.#outputOf(step) ?? {};
  }

  /** With these params besides its own; the new ones win. */
  withParams(params: JsonObject): WorkflowContext {
    return new WorkflowContext({ ...this.#at, params: { ...this.#at.params, ...params } });
  }

  withContext(updates: JsonObject): WorkflowContext {
    return new WorkflowContext({ ...this.#at, context: { ...this.#at.context, ...updates } });
  }

  /** As if the step had completed with this output. */
  withOutput(step: string, output: JsonObject): WorkflowContext {
    return new WorkflowContext({ ...this.#at, outputs: this.#at.outputs.with(new Map([[step, output]])) });
  }

  #outputOf(step: string): JsonObject | undefined {
    const given = this.#at.outputs.get(step);
    if (given !== undefined) return given;
    const stored = this.#at.state?.steps.get(step);
    return stored?.status === 'completed' && stored.output !== null ? stored.output : undefined;
  }
}

function own(object: JsonObject, key: string): JsonValue | undefined {
  return Object.hasOwn(object, key) ? object[key] : undefined;
}
