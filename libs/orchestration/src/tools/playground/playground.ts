/** A run that is gone through by hand: a step forth, a step back, other params, and on. */
import { OrchestrationError, ValidationError } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import { SETTLED_STATUSES } from '../../engine/state.ts';
import type { StepStatus } from '../../engine/state.ts';
import { defineWorkflow } from '../../workflow/define.ts';
import type { WorkflowDefinition, WorkflowInput } from '../../workflow/model.ts';
import { carryOut, fire } from './execute.ts';
import type { PlaygroundOptions } from './execute.ts';
import { after, firstMoment, nextOf, withParams } from './moment.ts';
import type { Moment } from './moment.ts';
import { snapshotOf } from './snapshot.ts';
import type { PlaygroundPeek, PlaygroundSnapshot, Waiting } from './snapshot.ts';

interface Loaded {
  readonly definition: WorkflowDefinition;
  readonly moments: Moment[];
  readonly snapshots: PlaygroundSnapshot[];
  readonly params: JsonObject;
}

const START = new Date('2026-01-01T00:00:00Z');

/**
 * At most one piece of work at a time, whatever the workflow allows. Going back undoes nothing that handlers have done. An
 * approval that nobody decides expires as time passes, as in any run.
 */
export class WorkflowPlayground {
  readonly #options: PlaygroundOptions;
  #loaded: Loaded | null = null;

  constructor(options: PlaygroundOptions) {
    this.#options = options;
  }

  /** @throws ValidationError as `defineWorkflow` does. */
  load(workflow: WorkflowInput, params: JsonObject = {}): void {
    const definition = defineWorkflow({ ...workflow, policy: { ...workflow.policy, maxConcurrency: 1 } });
    const { environment } = this.#options;
    const started = {
      type: 'started' as const,
      runId: 'playground',
      params,
      ...(environment === undefined ? {} : { environment }),
    };
    this.#loaded = { definition, moments: [firstMoment(started, START)], snapshots: [], params };
  }

  /** Does what comes next: one call of a handler, or time passes until the next timer. */
  async step(): Promise<PlaygroundSnapshot> {
    const { definition, moments, snapshots } = this.#run();
    const before = this.#moment();
    const next = nextOf(definition, before);
    const index = snapshots.length + 1;
    if (next.type === 'waiting' || next.type === 'ended') {
      // What has settled on the way there (a choice, a skipped step) is kept; a second look changes nothing.
      if (next.moment.state !== before.state) moments.splice(-1, 1, next.moment);
      return snapshotOf(index, next, before, next.moment, null);
    }
    const { moment, result } =
      next.type === 'timer'
        ? { moment: fire(definition, next), result: null }
        : await carryOut(definition, next, this.#options);
    const snapshot = snapshotOf(index, next, before, moment, result);
    moments.push(moment);
    snapshots.push(snapshot);
    return snapshot;
  }

  /** Back to before the last step forth; false at the beginning. */
  stepBack(): boolean {
    const { moments, snapshots } = this.#run();
    if (snapshots.length === 0) return false;
    snapshots.pop();
    moments.pop();
    return true;
  }

  /** What comes next, without doing it. */
  peek(): PlaygroundPeek {
    const next = nextOf(this.#run().definition, this.#moment());
    switch (next.type) {
      case 'work':
        return { type: 'work', unit: next.work.unit, attempt: next.work.attempt, params: next.work.params };
      case 'timer':
        return { type: 'timer', timer: next.timer, at: next.at, ...waitingOf(next.moment) };
      case 'waiting':
        return { type: 'waiting', ...waitingOf(next.moment) };
      case 'ended':
        return { type: 'ended', status: next.outcome.status, outputs: next.moment.outputs };
    }
  }

  /**
   * Goes on until a step has settled, or there is nothing more to do.
   * @throws ValidationError for a step that the workflow does not have.
   */
  async runTo(step: string): Promise<readonly PlaygroundSnapshot[]> {
    const { definition } = this.#run();
    if (!definition.steps.some(({ name }) => name === step)) {
      const message = `there is no step ${step}`;
      throw new ValidationError(`step: ${message}`, {
        issues: [{ field: 'step', code: 'unknown_step', message }],
      });
    }
    return this.#goOn(() => SETTLED_STATUSES.has(this.#moment().state.steps.get(step)?.status ?? 'pending'));
  }

  /** Goes on until the run has ended, or waits for a decision or a signal. */
  runAll(): Promise<readonly PlaygroundSnapshot[]> {
    return this.#goOn(() => false);
  }

  /** For everything that has not begun. Stays when going back before it, until `reset`. */
  setParam(name: string, value: JsonValue): void {
    const { moments } = this.#run();
    moments.forEach((moment, at) => {
      moments[at] = withParams(moment, { [name]: value });
    });
  }

  /** Answers an approval that the run waits for. */
  decide(step: string, approved: boolean, by: string): void {
    this.#tell({ type: 'approval_decided', step, approved, by });
  }

  signal(name: string, data: JsonObject = {}): void {
    this.#tell({ type: 'signal', name, data });
  }

  /** Back to the beginning, with the params it was loaded with. */
  reset(): void {
    const { definition, params } = this.#run();
    this.load(definition, params);
  }

  /** Steps forth so far, without those taken back. */
  get history(): readonly PlaygroundSnapshot[] {
    return [...this.#run().snapshots];
  }

  /** The run as it is. */
  get context(): {
    readonly params: JsonObject;
    readonly context: JsonObject;
    readonly outputs: Readonly<Record<string, JsonObject>>;
    readonly statuses: ReadonlyMap<string, StepStatus>;
  } {
    const { started, state } = this.#moment();
    const steps = state.steps.entries();
    const defaults = this.#run().definition.defaults ?? {};
    return {
      params: { ...defaults, ...started.params },
      context: state.head.context,
      outputs: Object.fromEntries(
        steps.flatMap(([name, { output }]) => (output === null ? [] : [[name, output]])),
      ),
      statuses: new Map(steps.map(([name, { status }]) => [name, status])),
    };
  }

  /** Steps of the workflow that have not settled. */
  get remaining(): readonly string[] {
    const { steps } = this.#moment().state;
    return this.#run()
      .definition.steps.map(({ name }) => name)
      .filter((name) => !SETTLED_STATUSES.has(steps.get(name)?.status ?? 'pending'));
  }

  async #goOn(done: () => boolean): Promise<readonly PlaygroundSnapshot[]> {
    const taken: PlaygroundSnapshot[] = [];
    while (!done()) {
      const snapshot = await this.step();
      if (snapshot.type === 'waiting' || snapshot.type === 'ended') break;
      taken.push(snapshot);
    }
    return taken;
  }

  #tell(event: Parameters<typeof after>[2]): void {
    const { definition, moments } = this.#run();
    const { moment } = nextOf(definition, this.#moment());
    moments.splice(-1, 1, after(definition, moment, event));
  }

  #run(): Loaded {
    if (this.#loaded === null) throw new OrchestrationError('the playground is empty: load a workflow first');
    return this.#loaded;
  }

  #moment(): Moment {
    const moment = this.#run().moments.at(-1);
    if (moment === undefined) throw new OrchestrationError('the playground has lost its beginning');
    return moment;
  }
}

function waitingOf({ state }: Moment): Waiting {
  return {
    approvals: state.steps
      .entries()
      .flatMap(([name, { status }]) => (status === 'awaiting_approval' ? [name] : [])),
    signals: Object.keys(state.head.waiters),
  };
}
