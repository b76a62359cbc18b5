/**
 * Runs workflows in this process, by the same plan as the durable driver, in virtual time: for tests, scripts, dry runs and
 * the playground. Nothing outlives the process.
 *
 * 1. Events are planned one after the other, in the order in which they came. 2. Time moves only while nothing is running.
 * 3. A command is carried out once; what a cancelled attempt still answers is dropped.
 */
import { assertNever, OrchestrationError } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { StepResult } from '../workflow/step-result.ts';
import type { WorkflowDefinition } from '../workflow/model.ts';
import type { Command } from './command.ts';
import type { WorkflowEvent } from './event.ts';
import type { Attempt, CallCommand, StepExecutor } from './executor.ts';
import { newWorkflowState, plan } from './plan.ts';
import { runError } from './run-error.ts';
import { PersistentMap } from './persistent-map.ts';
import type { StepState, WorkflowState } from './state.ts';
import { VirtualTime } from './virtual-time.ts';

type Completion = Extract<Command, { type: 'complete' }>;
type ApprovalRequest = Extract<Command, { type: 'ask_approval' }>;

export type { Attempt, StepExecutor } from './executor.ts';

export interface InMemoryOptions {
  readonly executor: StepExecutor;
  /** Workflows that steps may start. */
  readonly workflow?: (name: string) => WorkflowDefinition | undefined;
  /** Asked for every approval; undefined for no answer. */
  readonly decide?: (
    request: ApprovalRequest,
  ) => { readonly approved: boolean; readonly by: string; readonly comment?: string } | undefined;
  readonly time?: VirtualTime;
}

export interface TraceEntry {
  readonly at: Date;
  readonly runId: string;
  readonly event: WorkflowEvent;
  readonly commands: readonly Command[];
  readonly ignored: string | null;
}

export interface BeginOptions {
  /** Records of the steps that a fork takes over, by name. */
  readonly takenOver?: Iterable<readonly [string, StepState]>;
  /** Ends where it would go on as a new run. Default false. */
  readonly oneChapter?: boolean;
}

interface Run {
  readonly id: string;
  readonly definition: WorkflowDefinition;
  state: WorkflowState;
  completion: Completion | null;
  /** How often it has been continued: each time its units count their attempts anew. */
  generation: number;
  /** Ends where it would be continued. */
  oneChapter: boolean;
  /** Attempts under way, by command id. */
  readonly attempts: Map<string, AbortController>;
  /** Sub-workflows that nobody waits for. */
  detached: string[];
  readonly parent: { readonly runId: string; readonly unit: string; readonly attempt: number } | null;
}

export class InMemoryWorkflows {
  readonly time: VirtualTime;
  readonly trace: TraceEntry[] = [];
  readonly #options: InMemoryOptions;
  readonly #runs = new Map<string, Run>();
  readonly #events: { readonly runId: string; readonly event: WorkflowEvent }[] = [];
  /** Attempts that are neither asleep nor given up. */
  #busy = 0;
  #wake: () => void = () => undefined;

  constructor(options: InMemoryOptions) {
    this.#options = options;
    this.time = options.time ?? new VirtualTime();
  }

  /** Starts a run; nothing happens before `settle` or `toEnd`. */
  start(
    definition: WorkflowDefinition,
    params: JsonObject = {},
    options: Partial<Omit<Extract<WorkflowEvent, { type: 'started' }>, 'type' | 'params'>> = {},
    { takenOver = [], oneChapter = false }: BeginOptions = {},
  ): string {
    const runId = options.runId ?? `run-${this.#runs.size + 1}`;
    const run = this.#open(runId, definition, null);
    run.state = { ...run.state, steps: new PersistentMap(takenOver) };
    run.oneChapter = oneChapter;
    this.send(runId, { ...options, type: 'started', runId, params });
    return runId;
  }

  /** Tells a run something: a signal, a decision, a pause. */
  send(runId: string, event: WorkflowEvent): void {
    this.#events.push({ runId, event });
    this.#wake();
  }

  /** @throws OrchestrationError for an unknown run. */
  state(runId: string): WorkflowState {
    return this.#run(runId).state;
  }

  /** How a run has ended; null while it has not. */
  completion(runId: string): Completion | null {
    return this.#run(runId).completion;
  }

  /** Goes on until nothing is left to do without somebody from outside. Virtual time passes. */
  async settle(): Promise<void> {
    for (;;) {
      for (let next = this.#events.shift(); next !== undefined; next = this.#events.shift())
        this.#plan(next.runId, next.event);
      if (this.#busy > 0) await this.#woken();
      else if (!this.time.skip()) return;
    }
  }

  /**
   * Goes on until the run has ended.
   * @throws OrchestrationError when it waits for somebody.
   */
  async toEnd(runId: string): Promise<Completion> {
    await this.settle();
    const { completion } = this.#run(runId);
    if (completion === null)
      throw new OrchestrationError(`run ${runId} waits for a decision, a signal or to be resumed`);
    return completion;
  }

  #woken(): Promise<void> {
    if (this.#events.length > 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #open(id: string, definition: WorkflowDefinition, parent: Run['parent']): Run {
    const run: Run = {
      id,
      definition,
      state: newWorkflowState(),
      completion: null,
      generation: 0,
      oneChapter: false,
      attempts: new Map(),
      detached: [],
      parent,
    };
    this.#runs.set(id, run);
    return run;
  }

  #run(runId: string): Run {
    const run = this.#runs.get(runId);
    if (run === undefined) throw new OrchestrationError(`there is no run ${runId}`);
    return run;
  }

  #plan(runId: string, event: WorkflowEvent): void {
    const run = this.#run(runId);
    const at = this.time.clock.now();
    const { state, commands, ignored } = plan(run.definition, run.state, event, at);
    run.state = state;
    this.trace.push({ at, runId, event, commands, ignored });
    for (const command of commands) this.#carryOut(run, command);
  }

  #carryOut(run: Run, command: Command): void {
    switch (command.type) {
      case 'start_step':
      case 'start_item':
      case 'compensate_step':
      case 'run_on_failure':
        return void this.#call(run, command);
      case 'start_child':
        return this.#startChild(run, command);
      case 'cancel_step':
        return this.#giveUp(run, `${command.unit}#${command.attempt}`);
      case 'cancel_child':
        return this.#cancelChild(run, command);
      case 'cancel_detached':
        for (const id of run.detached)
          if (this.#run(id).completion === null) this.send(id, { type: 'cancel', by: run.id, givenUp: true });
        return;
      case 'set_timer':
        return this.time.set(`${run.id} ${command.timer}`, command.at, () =>
          this.send(run.id, { type: 'timer_fired', timer: command.timer }),
        );
      case 'clear_timer':
        return this.time.clear(`${run.id} ${command.timer}`);
      case 'ask_approval': {
        const decision = this.#options.decide?.(command);
        if (decision !== undefined)
          this.send(run.id, { ...decision, type: 'approval_decided', step: command.step });
        return;
      }
      case 'withdraw_approval':
        return;
      case 'complete':
        return this.#complete(run, command);
      default:
        return assertNever(command);
    }
  }

  async #call(run: Run, command: CallCommand): Promise<void> {
    const key = `${command.unit}#${command.attempt}`;
    const controller = new AbortController();
    run.attempts.set(key, controller);
    this.#busy += 1;
    const attempt: Attempt = {
      command,
      runId: run.id,
      workflow: run.definition.name,
      state: run.state,
      signal: controller.signal,
      sleep: (seconds) => this.#sleep(run, key, seconds),
    };
    let result: StepResult;
    try {
      result = await this.#options.executor.run(command.call.handler, command.params, attempt);
    } catch (error) {
      result = StepResult.fail(error instanceof Error ? error : new Error(String(error)));
    }
    if (run.attempts.get(key) !== controller) return;
    run.attempts.delete(key);
    this.#busy -= 1;
    this.send(run.id, { type: 'step_settled', unit: command.unit, attempt: command.attempt, result });
  }

  /** An attempt that is asleep keeps nobody from moving time on; one given up never wakes. */
  #sleep(run: Run, key: string, seconds: number): Promise<void> {
    const until = new Date(this.time.clock.now().getTime() + seconds * 1_000);
    this.#busy -= 1;
    return new Promise((resolve) => {
      this.time.set(`${run.id} ${key} sleeps`, until, () => {
        this.#busy += 1;
        resolve();
      });
      this.#wake();
    });
  }

  #giveUp(run: Run, key: string): void {
    const controller = run.attempts.get(key);
    if (controller === undefined) return;
    run.attempts.delete(key);
    const asleep = this.time.has(`${run.id} ${key} sleeps`);
    this.time.clear(`${run.id} ${key} sleeps`);
    if (!asleep) this.#busy -= 1;
    controller.abort();
  }

  #startChild(run: Run, command: Extract<Command, { type: 'start_child' }>): void {
    const definition = this.#options.workflow?.(command.workflow);
    const { unit, attempt } = command;
    if (definition === undefined) {
      const { error } = StepResult.fail(`no workflow is registered as ${command.workflow}`);
      if (command.wait)
        this.send(run.id, { type: 'child_settled', unit, attempt, status: 'failed', outputs: {}, error });
      return;
    }
    const runId = childId(run, command);
    this.#open(runId, definition, command.wait ? { runId: run.id, unit, attempt } : null);
    if (!command.wait) run.detached.push(runId);
    const { params, context, ancestors } = command;
    const { environment } = run.state.head;
    this.send(runId, { type: 'started', runId, params, context, ancestors, environment });
  }

  #cancelChild(run: Run, command: Extract<Command, { type: 'cancel_child' }>): void {
    const runId = childId(run, command);
    if (!this.#runs.has(runId)) return;
    const givenUp = command.undo === 'begin' ? ({ givenUp: true } as const) : {};
    this.send(runId, { type: 'cancel', by: run.id, ...givenUp });
  }

  #complete(run: Run, completion: Completion): void {
    if (completion.status === 'continued' && !run.oneChapter) {
      // The same run to everybody else, with nothing behind it.
      const { ancestors, environment } = run.state.head;
      const params = completion.next ?? {};
      const previous = completion.outputs;
      run.state = newWorkflowState();
      run.generation += 1;
      run.detached = [];
      this.send(run.id, { type: 'started', runId: run.id, params, previous, ancestors, environment });
      return;
    }
    run.completion = completion;
    if (run.parent === null) return;
    const { outputs } = completion;
    const status = completion.status === 'continued' ? 'completed' : completion.status;
    const error = status === 'failed' || status === 'timed_out' ? runError(completion) : null;
    const { runId, unit, attempt } = run.parent;
    this.send(runId, { type: 'child_settled', unit, attempt, status, outputs, error });
  }
}

function childId(run: Run, { unit, attempt }: { readonly unit: string; readonly attempt: number }): string {
  return run.generation === 0
    ? `${run.id}/${unit}#${attempt}`
    : `${run.id}~${run.generation}/${unit}#${attempt}`;
}
