/** Stand-ins for the work of steps, for tests of workflows: what matters there is the workflow, not what its steps do. */
import { ErrorCategory } from '@spine/core';
import type { JsonObject } from '@spine/core';
import type { Attempt, StepExecutor } from '../../engine/executor.ts';
import type { Call } from '../../workflow/model.ts';
import { StepResult } from '../../workflow/step-result.ts';

export interface RunnableCall {
  readonly kind: Call['kind'];
  readonly handler: string;
  readonly unit: string;
  readonly attempt: number;
  readonly params: JsonObject;
}

/** Remembers what it was asked for. */
abstract class Runnable implements StepExecutor {
  readonly #calls: RunnableCall[] = [];

  /** In the order in which they came. */
  get calls(): readonly RunnableCall[] {
    return [...this.#calls];
  }

  run(handler: string, params: JsonObject, { command }: Attempt): StepResult | Promise<StepResult> {
    const { unit, attempt, call } = command;
    const made = { kind: call.kind, handler, unit, attempt, params };
    this.#calls.push(made);
    return this.answer(made);
  }

  protected abstract answer(call: RunnableCall): StepResult;
}

/** Every step succeeds. */
export class StubRunnable extends Runnable {
  readonly #outputs: Readonly<Record<string, JsonObject>>;

  /** @param outputs by handler; `{}` for any other. */
  constructor(outputs: Readonly<Record<string, JsonObject>> = {}) {
    super();
    this.#outputs = outputs;
  }

  protected override answer({ handler }: RunnableCall): StepResult {
    return StepResult.ok(Object.hasOwn(this.#outputs, handler) ? this.#outputs[handler] : {});
  }
}

export interface FailingOptions {
  /** Default OPERATION. */
  readonly category?: ErrorCategory;
  /** Handlers that fail; any other succeeds. Default: all. */
  readonly only?: readonly string[];
}

/** Every step fails, or those of the handlers named. */
export class FailingRunnable extends Runnable {
  readonly #message: string;
  readonly #options: FailingOptions;

  constructor(message = 'failed on purpose', options: FailingOptions = {}) {
    super();
    this.#message = message;
    this.#options = options;
  }

  protected override answer({ handler }: RunnableCall): StepResult {
    const { only, category = ErrorCategory.OPERATION } = this.#options;
    if (only !== undefined && !only.includes(handler)) return StepResult.ok();
    return StepResult.fail(this.#message, { category });
  }
}

/** Every handler answers what its script says, one answer a call. A call too many is a failure, and says so. */
export class ScriptedRunnable extends Runnable {
  readonly #scripts: Map<string, StepResult[]>;

  constructor(scripts: Readonly<Record<string, readonly StepResult[]>>) {
    super();
    this.#scripts = new Map(Object.entries(scripts).map(([handler, answers]) => [handler, [...answers]]));
  }

  /** Answers that nobody has asked for, by handler. */
  get unused(): Readonly<Record<string, number>> {
    return Object.fromEntries(
      [...this.#scripts].flatMap(([handler, answers]) =>
        answers.length === 0 ? [] : [[handler, answers.length]],
      ),
    );
  }

  protected override answer({ handler, unit }: RunnableCall): StepResult {
    return (
      this.#scripts.get(handler)?.shift() ??
      StepResult.fail(`the script has no answer left for ${handler}, called by ${unit}`, {
        category: ErrorCategory.ORCHESTRATION,
        type: 'ScriptEnded',
      })
    );
  }
}
