/**
 * Workflows written as code. The builder makes the same definition that YAML does: a list of steps in sequence, or, as soon
 * as there is a branch, a graph with every dependency written down.
 */
import { present, ValidationError } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import { DurableWorkflow } from '../../durable/managed.ts';
import type { ManagedHostOptions } from '../../durable/managed-host.ts';
import { defineWorkflow } from '../../workflow/define.ts';
import type {
  ApprovalStep,
  Call,
  ConcurrencyPolicy,
  IteratorStep,
  MapStep,
  Step,
  SubWorkflowStep,
  WaitFor,
  WorkflowInput,
  WorkflowPolicy,
} from '../../workflow/model.ts';
import { byNameParams, fromFunction } from '../run/handlers.ts';
import type { AdaptedFunction, PlainFunction } from '../run/handlers.ts';
import { ManagedWorkflow } from './managed.ts';
import type { ManagedOptions } from './managed.ts';
import { Placement } from './placement.ts';
import type { Common, StepOptions } from './step-options.ts';

export type Branch = (branch: WorkflowBuilder) => WorkflowBuilder;

export interface ChoiceBranch {
  /** An expression, e.g. `steps.fetch.output.count > 0`. */
  readonly when: string;
  readonly then: Branch;
}

/** What the builders of all branches write into. */
interface Draft {
  readonly input: Omit<WorkflowInput, 'steps'>;
  readonly steps: Step[];
  readonly functions: Map<string, AdaptedFunction>;
}

export function workflow(
  name: string,
  options: Omit<WorkflowInput, 'name' | 'steps' | 'policy'> & { readonly policy?: WorkflowPolicy } = {},
): WorkflowBuilder {
  const draft = { input: { ...options, name }, steps: [], functions: new Map<string, AdaptedFunction>() };
  return new WorkflowBuilder(draft, new Placement());
}

export class WorkflowBuilder {
  readonly #draft: Draft;
  readonly #place: Placement;

  constructor(draft: Draft, place: Placement) {
    this.#draft = draft;
    this.#place = place;
  }

  /**
   * A step after the last one, or after the last ones of all branches. A function becomes a lambda `<workflow>.<step>`; it is
   * given its values by name, see `fromFunction`.
   */
  step(name: string, work: PlainFunction | Call, options: StepOptions = {}): this {
    const { config = {}, compensate, takes, reads, dependsOn, ...rest } = options;
    const placed = this.#place.next(name, dependsOn);
    const earlier = reads ?? placed.earlier;
    const call = this.#call(name, work, config, earlier, takes);
    const undo =
      compensate === undefined
        ? undefined
        : this.#call(`${name}.undo`, compensate, {}, [...earlier, name], undefined);
    return this.#push({
      ...present(rest),
      ...present({ dependsOn: placed.dependsOn, compensate: undo }),
      name,
      ...call,
    });
  }

  wait(name: string, wait: WaitFor, { dependsOn, ...rest }: Common = {}): this {
    return this.#push({ ...present(rest), ...this.#placed(name, dependsOn), kind: 'wait', name, wait });
  }

  /** One run of the iterator for every item. */
  map(
    name: string,
    items: MapStep['items'],
    iterator: readonly IteratorStep[],
    options: Common & Partial<Pick<MapStep, 'maxConcurrency' | 'partitionBy' | 'toleratedFailures'>> = {},
  ): this {
    const { dependsOn, ...rest } = options;
    return this.#push({
      ...present(rest),
      ...this.#placed(name, dependsOn),
      kind: 'map',
      name,
      items,
      iterator,
    });
  }

  workflow(
    name: string,
    child: string,
    options: Common &
      Partial<Pick<SubWorkflowStep, 'params' | 'wait' | 'inheritContext' | 'timeoutSeconds'>> = {},
  ): this {
    const { dependsOn, ...rest } = options;
    return this.#push({
      ...present(rest),
      ...this.#placed(name, dependsOn),
      kind: 'workflow',
      name,
      workflow: child,
    });
  }

  approval(
    name: string,
    approvers: readonly string[],
    options: Common &
      Partial<Pick<ApprovalStep, 'message' | 'timeoutSeconds' | 'autoApprove' | 'contextFields'>> = {},
  ): this {
    const { dependsOn, ...rest } = options;
    return this.#push({
      ...present(rest),
      ...this.#placed(name, dependsOn),
      kind: 'approval',
      name,
      approvers,
    });
  }

  /** Branches side by side, each after what came before; the next step waits for all of them. */
  parallel(...branches: readonly Branch[]): this {
    this.#place.fork();
    const ends = branches.map((branch) => {
      const place = this.#place.branch();
      branch(new WorkflowBuilder(this.#draft, place));
      return place;
    });
    this.#place.join(ends);
    return this;
  }

  /** Takes the first branch whose condition holds, else `otherwise`; the next step follows whichever was taken. */
  choice(name: string, branches: readonly ChoiceBranch[], otherwise?: Branch): this {
    const dependsOn = this.#place.next(name, undefined, 'branching').dependsOn;
    const at = this.#draft.steps.length;
    const ends: Placement[] = [];
    const begin = (branch: Branch): string => {
      const place = this.#place.branch('chosen');
      branch(new WorkflowBuilder(this.#draft, place));
      ends.push(place);
      return place.first(name);
    };
    const routes = branches.map(({ when, then }) => ({ condition: when, thenStep: begin(then) }));
    const elseStep = otherwise === undefined ? undefined : begin(otherwise);
    // Without an else the choice itself leads on where nothing was chosen.
    this.#place.join(ends, elseStep === undefined);
    this.#draft.steps.splice(at, 0, present({ kind: 'choice' as const, name, routes, elseStep, dependsOn }));
    return this;
  }

  policy(policy: WorkflowPolicy): this {
    return this.#set({ policy: { ...this.#draft.input.policy, ...policy } });
  }

  concurrency(concurrency: ConcurrencyPolicy): this {
    return this.#set({ concurrency });
  }

  defaults(defaults: JsonObject): this {
    return this.#set({ defaults });
  }

  outputs(outputs: Readonly<Record<string, JsonValue>>): this {
    return this.#set({ outputs });
  }

  /** Called once when a run has failed; a function is given the run's params by name. */
  onFailure(work: PlainFunction | Call, config: JsonObject = {}): this {
    return this.policy({ onFailure: this.#call('on_failure!', work, config, [], undefined) });
  }

  /**
   * A workflow to be run in this process; with `database` or `engine` durably, see {@link DurableWorkflow}.
   * @throws ValidationError as `defineWorkflow` does.
   */
  build(options: ManagedHostOptions): DurableWorkflow;
  build(options?: ManagedOptions): ManagedWorkflow;
  build(options: ManagedHostOptions | ManagedOptions = {}): DurableWorkflow | ManagedWorkflow {
    const { input, steps, functions } = this.#draft;
    const linear = this.#place.linear;
    // What comes before is said by the order of the list.
    const listed = linear ? steps.map(({ dependsOn: _dependsOn, ...step }) => step) : steps;
    const policy = linear ? input.policy : { ...input.policy, mode: 'parallel' as const };
    const definition = defineWorkflow(present({ ...input, policy, steps: listed }));
    return 'database' in options || 'engine' in options
      ? new DurableWorkflow(definition, functions, options)
      : new ManagedWorkflow(definition, functions, options);
  }

  #placed(
    name: string,
    dependsOn: readonly string[] | undefined,
  ): { readonly dependsOn?: readonly string[] } {
    return present({ dependsOn: this.#place.next(name, dependsOn).dependsOn });
  }

  #push(step: Step): this {
    this.#draft.steps.push(step);
    return this;
  }

  #set(more: Partial<Omit<WorkflowInput, 'steps' | 'name'>>): this {
    Object.assign(this.#draft.input, more);
    return this;
  }

  #call(
    name: string,
    work: PlainFunction | Call,
    config: JsonObject,
    earlier: readonly string[],
    takes: readonly string[] | undefined,
  ): Call {
    if (typeof work !== 'function') {
      if (takes !== undefined) throw refused(name, 'takes: is for functions; a call has its params by name');
      return { ...work, params: { ...work.params, ...config } };
    }
    const handler = `${this.#draft.input.name}.${name.replace('!', '')}`;
    if (this.#draft.functions.has(handler)) throw refused(name, 'is there already; names are unique');
    this.#draft.functions.set(handler, fromFunction(work, present({ takes })));
    return { kind: 'lambda', handler, params: byNameParams(config, earlier) };
  }
}

function refused(step: string, message: string): ValidationError {
  return new ValidationError(`step ${step}: ${message}`, {
    issues: [{ field: step, code: 'bad_builder', message }],
  });
}
