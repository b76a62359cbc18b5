/** Names, dependencies, cycles, and what can never run. */
import type { ValidationIssue } from '@spine/core';
import type { Compilation } from './compile.ts';
import { runsBefore, sortSteps, targetsOf } from './graph.ts';
import type { StepGraph } from './graph.ts';
import type { ChoiceStep, WorkflowInput } from './model.ts';

export function checkGraph(
  workflow: WorkflowInput,
  graph: StepGraph,
  compilations: readonly Compilation[],
): ValidationIssue[] {
  const issues = [...duplicates(workflow), ...unknownNames(workflow, graph)];
  const order = sortSteps(graph);
  if (order.cycle !== null) {
    const [first] = order.cycle;
    const path = [...order.cycle, first].join(' -> ');
    issues.push({
      field: `steps[${graph.position.get(first ?? '') ?? 0}].depends_on`,
      code: 'cycle',
      message: `step ${first}: waits for itself by ${path}${inSequence(workflow)}`,
    });
    for (const name of order.blocked) {
      issues.push({
        field: `steps[${graph.position.get(name) ?? 0}]`,
        code: 'unreachable',
        message: `step ${name}: can never start, because it waits for a cycle`,
      });
    }
    return issues;
  }
  const depth = depths(graph, order.sorted);
  return [
    ...issues,
    ...workflow.steps.flatMap((step, index) => (step.kind === 'choice' ? deadRoutes(step, index) : [])),
    ...badReads(workflow, graph, depth, compilations),
  ];
}

function inSequence(workflow: WorkflowInput): string {
  return workflow.policy?.mode === 'parallel'
    ? ''
    : '; in a sequential workflow each step waits for the one before it in the list';
}

function duplicates(workflow: WorkflowInput): ValidationIssue[] {
  const first = new Map<string, number>();
  return workflow.steps.flatMap(({ name }, index) => {
    const earlier = first.get(name);
    if (earlier === undefined) {
      first.set(name, index);
      return [];
    }
    const message = `step ${name}: is also steps[${earlier}]; names are unique`;
    return [{ field: `steps[${index}].name`, code: 'duplicate_step', message }];
  });
}

function unknownNames(workflow: WorkflowInput, graph: StepGraph): ValidationIssue[] {
  return workflow.steps.flatMap((step, index) => {
    const unknown = (field: string, name: string): ValidationIssue[] =>
      graph.position.has(name)
        ? []
        : [
            {
              field: `steps[${index}].${field}`,
              code: 'unknown_dependency',
              message: `step ${step.name}: there is no step ${name}`,
            },
          ];
    const dependencies = (step.dependsOn ?? []).flatMap((name, at) => unknown(`depends_on[${at}]`, name));
    if (step.kind !== 'choice') return dependencies;
    return [
      ...dependencies,
      ...step.routes.flatMap((route, at) => unknown(`routes[${at}].then_step`, route.thenStep)),
      ...(step.elseStep === undefined ? [] : unknown('else_step', step.elseStep)),
    ];
  });
}

/** A route behind one that always holds is never taken. */
function deadRoutes(step: ChoiceStep, index: number): ValidationIssue[] {
  const always = step.routes.findIndex((route) => route.condition.trim() === 'true');
  if (always < 0) return [];
  const live = new Set(step.routes.slice(0, always + 1).map((route) => route.thenStep));
  return [...new Set(targetsOf(step))]
    .filter((target) => !live.has(target))
    .map((target) => ({
      field: `steps[${index}].routes[${always}].condition`,
      code: 'unreachable',
      message: `step ${target}: is never chosen, because a condition before it always holds`,
    }));
}

/** The longest way to each step: what is not deeper than a step cannot lie behind it. */
function depths(graph: StepGraph, sorted: readonly string[]): ReadonlyMap<string, number> {
  const depth = new Map<string, number>();
  for (const name of sorted) {
    const own = depth.get(name) ?? 0;
    depth.set(name, own);
    for (const { to } of graph.outgoing.get(name) ?? []) depth.set(to, Math.max(depth.get(to) ?? 0, own + 1));
  }
  return depth;
}

function badReads(
  workflow: WorkflowInput,
  graph: StepGraph,
  depth: ReadonlyMap<string, number>,
  compilations: readonly Compilation[],
): ValidationIssue[] {
  return workflow.steps.flatMap((step, index) =>
    (compilations[index]?.reads ?? []).flatMap((read) => {
      const field = `steps[${index}].${read.field}`;
      if (!graph.position.has(read.step))
        return [
          { field, code: 'bad_reference', message: `step ${step.name}: there is no step ${read.step}` },
        ];
      if (read.step === step.name && read.afterwards) return [];
      if (read.step !== step.name && runsBefore(graph, depth, read.step, step.name)) return [];
      const message = `step ${step.name}: reads ${read.step}, which it does not depend on`;
      return [{ field, code: 'bad_reference', message }];
    }),
  );
}
