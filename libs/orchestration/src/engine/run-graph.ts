/** A definition made ready to plan with, and what a run's own modifications have made of it. */
import { buildGraph } from '../workflow/graph.ts';
import type { Edge, Incoming, StepGraph } from '../workflow/graph.ts';
import { compileStep } from '../workflow/compile.ts';
import type { CompiledStep } from '../workflow/compile.ts';
import type { Step, WorkflowDefinition } from '../workflow/model.ts';
import type { Overlay } from './state.ts';

interface PreparedWorkflow {
  readonly graph: StepGraph;
  readonly steps: ReadonlyMap<string, Step>;
}

/** Definitions are frozen: what is made of one stays true. */
const prepared = new WeakMap<WorkflowDefinition, PreparedWorkflow>();
const compiled = new WeakMap<Step, CompiledStep>();

export function prepare(definition: WorkflowDefinition): PreparedWorkflow {
  const known = prepared.get(definition);
  if (known !== undefined) return known;
  const made = {
    graph: buildGraph(definition.steps, definition.policy?.mode ?? 'sequential'),
    steps: new Map(definition.steps.map((step) => [step.name, step])),
  };
  prepared.set(definition, made);
  return made;
}

function compiledStep(step: Step): CompiledStep {
  const known = compiled.get(step);
  if (known !== undefined) return known;
  const made = compileStep(step).compiled;
  compiled.set(step, made);
  return made;
}

const NOTHING: Incoming = { total: 0, deciding: 0 };

export class RunGraph {
  readonly definition: WorkflowDefinition;
  readonly #prepared: PreparedWorkflow;
  readonly #overlay: Overlay | null;

  constructor(definition: WorkflowDefinition, overlay: Overlay | null) {
    this.definition = definition;
    this.#prepared = prepare(definition);
    this.#overlay = overlay;
  }

  get roots(): readonly string[] {
    return this.#prepared.graph.roots;
  }

  /** Steps of the definition whose outputs are the run's by default. */
  get leaves(): readonly string[] {
    return this.#prepared.graph.leaves;
  }

  /** Every step, those of the definition first. */
  names(): readonly string[] {
    const added = Object.keys(this.#overlay?.steps ?? {}).filter((name) => !this.#prepared.steps.has(name));
    return [...this.#prepared.graph.names, ...added];
  }

  has(name: string): boolean {
    return this.step(name) !== undefined;
  }

  step(name: string): Step | undefined {
    return own(this.#overlay?.steps, name) ?? this.#prepared.steps.get(name);
  }

  compiled(name: string): CompiledStep | undefined {
    const step = this.step(name);
    return step === undefined ? undefined : compiledStep(step);
  }

  outgoing(name: string): readonly Edge[] {
    return own(this.#overlay?.outgoing, name) ?? this.#prepared.graph.outgoing.get(name) ?? [];
  }

  incoming(name: string): Incoming {
    return own(this.#overlay?.incoming, name) ?? this.#prepared.graph.incoming.get(name) ?? NOTHING;
  }

  get sequential(): boolean {
    return (this.definition.policy?.mode ?? 'sequential') === 'sequential';
  }

  /** Steps of the definition that come after `from` and before `to` in the list; null when `to` does not come after. */
  between(from: string, to: string): readonly string[] | null {
    const { position, names } = this.#prepared.graph;
    const start = position.get(from);
    const end = position.get(to);
    return start === undefined || end === undefined || end <= start ? null : names.slice(start + 1, end);
  }
}

/** Names come from users: nothing is read off a prototype. */
function own<V>(record: Readonly<Record<string, V>> | undefined, key: string): V | undefined {
  return record !== undefined && Object.hasOwn(record, key) ? record[key] : undefined;
}
