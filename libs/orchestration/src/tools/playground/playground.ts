/** A run that is gone through by hand: a step forth, a step back, other params, and on. */
import { ConflictError, OrchestrationError, ValidationError } from '@spine/core';
import type { JsonObject, JsonValue } from '@spine/core';
import { SETTLED_STATUSES } from '../../engine/state.ts';
import type { StepStatus } from '../../engine/state.ts';
import type { StepResult } from '../../workflow/step-result.ts';
import { defineWorkflow } from '../../workflow/define.ts';
import type { WorkflowDefinition, WorkflowInput } from '../../workflow/model.ts';
import { fromRecordedResult } from '../record/recorded-result.ts';
import { fire, perform, settle } from './execute.ts';
import type { PlaygroundOptions } from './execute.ts';
import { firstMoment, momentHash, nextOf, told, withParams } from './moment.ts';
import type { Moment, Next } from './moment.ts';
import { withoutLastStep, workMove } from './moves.ts';
import type { PlaygroundMove } from './moves.ts';
import { peekOf, runStatusOf, snapshotOf } from './snapshot.ts';
import type { PlaygroundPeek, PlaygroundSnapshot } from './snapshot.ts';

interface Loaded {
  readonly definition: WorkflowDefinition;
  readonly params: JsonObject;
  readonly moments: Moment[];
  /** Made when they are looked at: each compares all steps. */
  readonly snapshots: (() => PlaygroundSnapshot)[];
  /** What has led to the last moment. */
  readonly moves: PlaygroundMove[];
}

type MayGoOn = (taken: number) => boolean;
const always: MayGoOn = () => true;

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
    this.#loaded = { definition, moments: [firstMoment(started, START)], snapshots: [], params, moves: [] };
  }

  /**
   * Loads a workflow and goes through moves made before, with the answers given then: no handler is called.
   * @throws ValidationError as `load` does; ConflictError where they do not fit, as after a change of the planner.
   */
  restore(workflow: WorkflowInput, params: JsonObject, moves: readonly PlaygroundMove[]): void {
    this.load(workflow, params);
    moves.forEach((move, at) => {
      if (!this.#again(move)) throw new ConflictError(`move ${at + 1} (${move.type}) no longer fits the run`);
    });
  }

  /** Does what comes next: one call of a handler, or time passes until the next timer. */
  async step(): Promise<PlaygroundSnapshot> {
    const { definition, snapshots } = this.#run();
    const before = this.#moment();
    const next = nextOf(definition, before);
    if (next.type === 'work') {
      const performed = await perform(definition, next, this.#options);
      const moment = settle(definition, next, performed);
      return this.#forth(next, moment, performed.result, workMove(next.work, performed))();
    }
    if (next.type === 'timer')
      return this.#forth(next, fire(definition, next), null, { type: 'timer', timer: next.timer })();
    this.#look(next.moment);
    return snapshotOf(snapshots.length + 1, next, before, next.moment, null);
  }

  /** Back to before the last step forth; false at the beginning. */
  stepBack(): boolean {
    const loaded = this.#run();
    if (loaded.snapshots.length === 0) return false;
    loaded.snapshots.pop();
    loaded.moments.pop();
    loaded.moves.splice(0, Infinity, ...withoutLastStep(loaded.moves));
    return true;
  }

  /** What comes next, without doing it. */
  peek(): PlaygroundPeek {
    return peekOf(nextOf(this.#run().definition, this.#moment()));
  }

  /**
   * Goes on until a step has settled, there is nothing more to do, or it may not.
   * @param mayGoOn asked before each step with the number of those taken. Default: it always may.
   * @throws ValidationError for a step that the workflow does not have.
   */
  async runTo(step: string, mayGoOn: MayGoOn = always): Promise<readonly PlaygroundSnapshot[]> {
    const { definition } = this.#run();
    if (!definition.steps.some(({ name }) => name === step)) {
      const message = `there is no step ${step}`;
      throw new ValidationError(`step: ${message}`, {
        issues: [{ field: 'step', code: 'unknown_step', message }],
      });
    }
    return this.#goOn((taken) => !this.hasSettled(step) && mayGoOn(taken));
  }

  /** Goes on until the run has ended, waits for a decision or a signal, or may not. */
  runAll(mayGoOn: MayGoOn = always): Promise<readonly PlaygroundSnapshot[]> {
    return this.#goOn(mayGoOn);
  }

  hasSettled(step: string): boolean {
    return SETTLED_STATUSES.has(this.#moment().state.steps.get(step)?.status ?? 'pending');
  }

  /** For everything that has not begun. Stays when going back before it, until `reset`. */
  setParam(name: string, value: JsonValue): void {
    this.setParams({ [name]: value });
  }

  setParams(params: JsonObject): void {
    const loaded = this.#run();
    loaded.moments.forEach((moment, at) => {
      loaded.moments[at] = withParams(moment, params);
    });
    loaded.moves.push({ type: 'params', params: { ...params } });
  }

  /** Answers an approval that the run waits for. Why it counted for nothing; null when it did count. */
  decide(step: string, approved: boolean, by: string, comment?: string): string | null {
    const decision = { step, approved, by, ...(comment === undefined ? {} : { comment }) };
    return this.#tell({ type: 'approval_decided', ...decision }, { type: 'decide', ...decision });
  }

  /** Why it counted for nothing; null when it did count. */
  signal(name: string, data: JsonObject = {}): string | null {
    return this.#tell({ type: 'signal', name, data }, { type: 'signal', name, data: { ...data } });
  }

  /** Back to the beginning, with the params it was loaded with. */
  reset(): void {
    const { definition, params } = this.#run();
    this.load(definition, params);
  }

  /** Steps forth so far, without those taken back. */
  get history(): readonly PlaygroundSnapshot[] {
    return this.historyBetween(0, this.stepCount);
  }

  /** How many there are. */
  get stepCount(): number {
    return this.#run().snapshots.length;
  }

  /** The steps forth from `begin` up to, without, `end`, counted from 0. */
  historyBetween(begin: number, end: number): readonly PlaygroundSnapshot[] {
    return this.#run()
      .snapshots.slice(begin, end)
      .map((snapshot) => snapshot());
  }

  /** What has led here, for {@link restore}. */
  get moves(): readonly PlaygroundMove[] {
    return [...this.#run().moves];
  }

  /** SHA-256 of where it is: the same after the same moves. */
  get hash(): string {
    return momentHash(this.#moment());
  }

  /** Of the run. */
  get status(): PlaygroundSnapshot['run'] {
    return runStatusOf(this.#moment());
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
    return this.#run()
      .definition.steps.map(({ name }) => name)
      .filter((name) => !this.hasSettled(name));
  }

  async #goOn(mayGoOn: MayGoOn): Promise<readonly PlaygroundSnapshot[]> {
    const taken: PlaygroundSnapshot[] = [];
    while (mayGoOn(taken.length)) {
      const snapshot = await this.step();
      if (snapshot.type === 'waiting' || snapshot.type === 'ended') break;
      taken.push(snapshot);
    }
    return taken;
  }

  #forth(
    next: Next,
    moment: Moment,
    result: StepResult | null,
    move: PlaygroundMove,
  ): () => PlaygroundSnapshot {
    const { moments, snapshots, moves } = this.#run();
    const before = this.#moment();
    const index = snapshots.length + 1;
    const snapshot = (): PlaygroundSnapshot => snapshotOf(index, next, before, moment, result);
    moments.push(moment);
    snapshots.push(snapshot);
    moves.push(move);
    return snapshot;
  }

  /** What has settled on the way (a choice, a skipped step) is kept; a second look changes nothing. */
  #look(moment: Moment): void {
    const loaded = this.#run();
    if (momentHash(moment) === this.hash) return;
    loaded.moments.splice(-1, 1, moment);
    loaded.moves.push({ type: 'look' });
  }

  #tell(event: Parameters<typeof told>[2], move: PlaygroundMove): string | null {
    const loaded = this.#run();
    const { definition } = loaded;
    const { moment, ignored } = told(definition, nextOf(definition, this.#moment()).moment, event);
    if (ignored !== null) return ignored;
    loaded.moments.splice(-1, 1, moment);
    loaded.moves.push(move);
    return null;
  }

  /** Whether the move could be made. */
  #again(move: PlaygroundMove): boolean {
    const { definition } = this.#run();
    const next = nextOf(definition, this.#moment());
    switch (move.type) {
      case 'work': {
        if (next.type !== 'work' || next.work.unit !== move.unit || next.work.attempt !== move.attempt)
          return false;
        const result = fromRecordedResult(move.result);
        this.#forth(next, settle(definition, next, { result, slept: move.slept }), result, move);
        return true;
      }
      case 'timer':
        if (next.type !== 'timer' || next.timer !== move.timer) return false;
        this.#forth(next, fire(definition, next), null, move);
        return true;
      case 'look':
        if (next.type === 'work' || next.type === 'timer') return false;
        this.#look(next.moment);
        return true;
      case 'params':
        this.setParams(move.params);
        return true;
      case 'decide':
        return this.decide(move.step, move.approved, move.by, move.comment) === null;
      case 'signal':
        return this.signal(move.name, move.data) === null;
    }
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
