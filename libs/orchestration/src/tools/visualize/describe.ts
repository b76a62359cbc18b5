/** What the pictures of a workflow have in common: nodes and arrows, whatever draws them. */
import { targetsOf } from '../../workflow/graph.ts';
import type { EdgeKind } from '../../workflow/graph.ts';
import type { Step, WorkflowInput } from '../../workflow/model.ts';
import type { StepStatus } from '../../engine/state.ts';
import { describeStep, shapeOf } from '../shape.ts';

export interface DrawOptions {
  /** Where a run is: steps are coloured by it. Default: none is. */
  readonly statuses?: ReadonlyMap<string, StepStatus>;
}

export interface Picture {
  readonly nodes: readonly PictureNode[];
  readonly arrows: readonly PictureArrow[];
}

export interface PictureNode {
  /** `s0`, `s1` …: names and other texts of a definition never become identifiers of a drawing language. */
  readonly id: string;
  readonly step: Step;
  readonly lines: readonly string[];
  readonly status: StepStatus | null;
}

export interface PictureArrow {
  readonly from: string;
  readonly to: string;
  readonly kind: EdgeKind;
  /** The condition of a route, or ''. */
  readonly label: string;
}

export function pictureOf(workflow: WorkflowInput, { statuses }: DrawOptions = {}): Picture {
  const { graph } = shapeOf(workflow);
  const id = (name: string): string => `s${graph.position.get(name) ?? 0}`;
  const steps = new Map(workflow.steps.map((step) => [step.name, step]));
  const nodes = graph.names.flatMap((name) => {
    const step = steps.get(name);
    if (step === undefined) return [];
    const status = statuses?.get(name) ?? null;
    return [{ id: id(name), step, lines: [name, `${step.kind}: ${describeStep(step)}`], status }];
  });
  const arrows = [...graph.outgoing].flatMap(([from, edges]) =>
    edges.map(({ to, kind }) => {
      const step = steps.get(from);
      const label = kind === 'route' && step !== undefined ? routeLabel(step, to) : '';
      return { from: id(from), to: id(to), kind, label };
    }),
  );
  return { nodes, arrows };
}

function routeLabel(step: Step, target: string): string {
  if (step.kind !== 'choice') return '';
  const conditions = step.routes
    .filter(({ thenStep }) => thenStep === target)
    .map(({ condition }) => condition);
  return [...conditions, ...(step.elseStep === target ? ['else'] : [])].join(' or ');
}

/** How the status of a step is shown: one colour a meaning, readable with dark text. */
export const STATUS_COLOURS: Readonly<Record<StepStatus, string>> = {
  pending: '#f3f4f6',
  ready: '#e0e7ff',
  running: '#93c5fd',
  waiting: '#fde68a',
  awaiting_approval: '#fcd34d',
  retrying: '#fdba74',
  completed: '#86efac',
  failed: '#fca5a5',
  skipped: '#d1d5db',
  not_taken: '#e5e7eb',
  cancelled: '#c4b5fd',
};

export interface WorkflowSummary {
  readonly name: string;
  readonly mode: 'sequential' | 'parallel';
  readonly steps: number;
  readonly kinds: Readonly<Partial<Record<Step['kind'], number>>>;
  /** Waves of steps one after the other. */
  readonly depth: number;
  /** Steps of the widest wave. */
  readonly width: number;
  readonly first: readonly string[];
  readonly last: readonly string[];
  readonly handlers: readonly string[];
  readonly workflows: readonly string[];
  readonly choices: readonly { readonly step: string; readonly targets: readonly string[] }[];
}

/** The figures of a workflow, for lists and reviews. */
export function visualizeSummary(workflow: WorkflowInput): WorkflowSummary {
  const { graph, waves } = shapeOf(workflow);
  const kinds: Partial<Record<Step['kind'], number>> = {};
  const handlers = new Set<string>();
  const workflows = new Set<string>();
  for (const step of workflow.steps) {
    kinds[step.kind] = (kinds[step.kind] ?? 0) + 1;
    if (step.kind === 'operation' || step.kind === 'lambda') handlers.add(step.handler);
    if (step.kind === 'workflow') workflows.add(step.workflow);
    if (step.kind !== 'map') continue;
    for (const each of step.iterator)
      if (each.kind === 'workflow') workflows.add(each.workflow);
      else handlers.add(each.handler);
  }
  return {
    name: workflow.name,
    mode: workflow.policy?.mode ?? 'sequential',
    steps: workflow.steps.length,
    kinds,
    depth: waves.length,
    width: Math.max(0, ...waves.map((wave) => wave.length)),
    first: graph.roots,
    last: graph.names.filter((name) => (graph.outgoing.get(name) ?? []).length === 0),
    handlers: [...handlers].sort(),
    workflows: [...workflows].sort(),
    choices: workflow.steps.flatMap((step) =>
      step.kind === 'choice' ? [{ step: step.name, targets: [...new Set(targetsOf(step))] }] : [],
    ),
  };
}
