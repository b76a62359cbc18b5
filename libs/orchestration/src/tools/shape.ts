/** The shape of a workflow as people look at it. Tolerant of wrong definitions, so that these can be looked at as well. */
import { buildGraph, sortSteps } from '../workflow/graph.ts';
import type { StepGraph } from '../workflow/graph.ts';
import type { IteratorStep, Step, WorkflowInput } from '../workflow/model.ts';

export interface WorkflowShape {
  readonly graph: StepGraph;
  /** Every step after those it waits for; those that can never start come last. */
  readonly order: readonly string[];
  /** Steps by the longest way to them: those of a wave wait for waves before it alone. */
  readonly waves: readonly (readonly string[])[];
  /** Steps in or behind a cycle. */
  readonly stuck: readonly string[];
}

export function shapeOf(workflow: WorkflowInput): WorkflowShape {
  const graph = buildGraph(workflow.steps, workflow.policy?.mode ?? 'sequential');
  const { sorted } = sortSteps(graph);
  const depth = new Map<string, number>();
  const waves: string[][] = [];
  for (const name of sorted) {
    const own = depth.get(name) ?? 0;
    const wave = waves[own] ?? [];
    wave.push(name);
    waves[own] = wave;
    for (const { to } of graph.outgoing.get(name) ?? []) depth.set(to, Math.max(depth.get(to) ?? 0, own + 1));
  }
  const done = new Set(sorted);
  const stuck = graph.names.filter((name) => !done.has(name));
  const byPlace = (a: string, b: string): number =>
    (graph.position.get(a) ?? 0) - (graph.position.get(b) ?? 0);
  return { graph, order: [...sorted, ...stuck], waves: waves.map((wave) => wave.sort(byPlace)), stuck };
}

/** What a step does, in a few words: `sec.fetch`, `3 routes`, `waits 60 s`, `each item: parse, load`. */
export function describeStep(step: Step): string {
  switch (step.kind) {
    case 'operation':
    case 'lambda':
      return step.handler;
    case 'choice':
      return `${step.routes.length} ${step.routes.length === 1 ? 'route' : 'routes'}`;
    case 'wait':
      if ('durationSeconds' in step.wait) return `waits ${step.wait.durationSeconds} s`;
      return 'until' in step.wait ? `until ${step.wait.until}` : `for signal ${step.wait.signal}`;
    case 'map':
      return `each item: ${step.iterator.map((each) => calledBy(each)).join(', ')}`;
    case 'workflow':
      return step.workflow;
    case 'approval':
      return step.approvers.length === 0 ? 'anybody' : step.approvers.join(', ');
  }
}

function calledBy(each: IteratorStep): string {
  return each.kind === 'workflow' ? each.workflow : each.handler;
}
