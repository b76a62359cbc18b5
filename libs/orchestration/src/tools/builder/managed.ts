/** A workflow together with the functions it calls: it can be run on the spot. */
import { systemClock } from '@spine/core';
import type { Clock, JsonObject } from '@spine/core';
import type { WorkflowDefinition } from '../../workflow/model.ts';
import { HandlerTable } from '../run/handlers.ts';
import type { AdaptedFunction } from '../run/handlers.ts';
import { runInMemory } from '../run/run.ts';
import type { RunOptions, WorkflowRunResult } from '../run/run.ts';
import { visualizeAscii } from '../visualize/ascii.ts';

export interface ManagedRun {
  readonly result: WorkflowRunResult;
  /** When it was begun, and how long it took in truth, by the clock of the process. */
  readonly begunAt: Date;
  readonly elapsedMs: number;
}

export interface ManagedOptions extends Partial<Omit<RunOptions, 'params'>> {
  /** For {@link ManagedRun}. Default: the machine's. */
  readonly clock?: Clock;
  /** Runs that `history` keeps, the newest. Default 100. */
  readonly keep?: number;
}

/**
 * Runs without a database, in this process: for scripts, examples and tests. To run it durably, register `definition` and
 * `functions` with a worker: the same plan decides there.
 */
export class ManagedWorkflow {
  readonly definition: WorkflowDefinition;
  /** By name, as its lambdas call them; to be registered with the workers that shall run it. */
  readonly functions: ReadonlyMap<string, AdaptedFunction>;
  /** What answers in this process; handlers of operations are added here. */
  readonly handlers: HandlerTable;
  readonly #options: ManagedOptions;
  readonly #history: ManagedRun[] = [];

  constructor(
    definition: WorkflowDefinition,
    functions: ReadonlyMap<string, AdaptedFunction> = new Map(),
    options: ManagedOptions = {},
  ) {
    this.definition = definition;
    this.functions = functions;
    this.handlers = new HandlerTable([...functions].map(([name, code]) => ['lambda', name, code]));
    this.#options = options;
  }

  /** Runs to the end; the workflow's own functions answer unless another executor is given. A failure is in the result. */
  async run(params: JsonObject = {}, options: ManagedOptions = {}): Promise<WorkflowRunResult> {
    const { clock = systemClock, keep = 100, ...rest } = { ...this.#options, ...options };
    const begunAt = clock.now();
    const result = await runInMemory(this.definition, { executor: this.handlers, ...rest, params });
    this.#history.push({ result, begunAt, elapsedMs: clock.now().getTime() - begunAt.getTime() });
    this.#history.splice(0, Math.max(0, this.#history.length - keep));
    return result;
  }

  /** The runs so far, oldest first. */
  history(): readonly ManagedRun[] {
    return [...this.#history];
  }

  /** The workflow as text, with the steps' states of the last run and a line about it. */
  show(): string {
    const last = this.#history.at(-1);
    if (last === undefined) return visualizeAscii(this.definition);
    const { result, elapsedMs } = last;
    const statuses = new Map(result.steps.map(({ name, status }) => [name, status]));
    const failure = result.error === null ? '' : `: ${result.failedStep ?? 'run'}: ${result.error.message}`;
    const line = `${this.definition.name} - ${result.steps.length} steps - ${result.status} in ${elapsedMs} ms${failure}`;
    return `${visualizeAscii(this.definition, { statuses })}${line}\n`;
  }
}
