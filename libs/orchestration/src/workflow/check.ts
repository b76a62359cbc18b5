/** What no schema can say about a workflow. Every problem is told; one that hides others is told alone. */
import type { ValidationIssue } from '@spine/core';
import { checkGraph } from './check-graph.ts';
import { findWorkflowCycle } from './check-nesting.ts';
import { compileStep } from './compile.ts';
import type { DefinitionLookups } from './define.ts';
import { buildGraph } from './graph.ts';
import type { Call, IteratorStep, Step, WorkflowInput } from './model.ts';
import { parseObjectTemplate, RUN_ROOTS } from './template.ts';
import type { TemplateProblem } from './template.ts';

export function checkWorkflow(workflow: WorkflowInput, lookups: DefinitionLookups): ValidationIssue[] {
  if (workflow.steps.length === 0)
    return [{ field: 'steps', code: 'empty', message: 'a workflow needs at least one step' }];
  const graph = buildGraph(workflow.steps, workflow.policy?.mode ?? 'sequential');
  const compilations = workflow.steps.map(compileStep);
  return [
    ...checkGraph(workflow, graph, compilations),
    ...compilations.flatMap(({ problems }, index) =>
      problems.map((problem) => ({
        ...problem,
        field: `steps[${index}].${problem.field}`,
        message: `step ${workflow.steps[index]?.name ?? ''}: ${problem.message}`,
      })),
    ),
    ...checkOutputs(workflow),
    ...checkCalls(workflow, lookups),
    ...checkIterators(workflow.steps),
    ...findWorkflowCycle(workflow, lookups.workflow),
  ];
}

function checkOutputs(workflow: WorkflowInput): ValidationIssue[] {
  const problems: TemplateProblem[] = [];
  const { references } = parseObjectTemplate(workflow.outputs ?? {}, RUN_ROOTS, problems);
  const known = new Set(workflow.steps.map((step) => step.name));
  return [
    ...problems.map(({ at, message }) => ({ field: `outputs${at}`, code: 'bad_reference', message })),
    ...references
      .filter(({ step }) => step !== null && !known.has(step))
      .map(({ text }) => ({
        field: 'outputs',
        code: 'bad_reference',
        message: `{{ ${text} }} names no step of the workflow`,
      })),
  ];
}

/** A call of a handler, and where it stands. */
export interface PlacedCall {
  /** In the JSON, e.g. `steps[2].compensate.handler`. */
  readonly field: string;
  /** What it is called for: `load` (also for its items), `load!undo`, `!on_failure`. */
  readonly unit: string;
  readonly call: Pick<Call, 'kind' | 'handler'>;
}

function checkCalls(workflow: WorkflowInput, { hasHandler }: DefinitionLookups): ValidationIssue[] {
  if (hasHandler === undefined) return [];
  return callsIn(workflow)
    .filter(({ call }) => !hasHandler(call.kind, call.handler))
    .map(({ field, call }) => ({
      field,
      code: 'missing_handler',
      message: `no ${call.kind} is registered as ${call.handler}`,
    }));
}

/** Every call of a handler that a workflow makes. */
export function callsIn(workflow: WorkflowInput): readonly PlacedCall[] {
  const onFailure = workflow.policy?.onFailure;
  return [
    ...workflow.steps.flatMap(callsOf),
    ...(onFailure === undefined
      ? []
      : [{ field: 'policy.on_failure.handler', unit: '!on_failure', call: onFailure }]),
  ];
}

function callsOf(step: Step, index: number): PlacedCall[] {
  const at = `steps[${index}]`;
  const unit = step.name;
  const calls: PlacedCall[] = [];
  if (step.kind === 'operation' || step.kind === 'lambda')
    calls.push({ field: `${at}.handler`, unit, call: step });
  if (step.kind === 'map')
    step.iterator.forEach((each: IteratorStep, place) => {
      if (each.kind !== 'workflow')
        calls.push({ field: `${at}.iterator[${place}].handler`, unit, call: each });
    });
  const { compensate } = step;
  if (compensate !== undefined)
    calls.push({ field: `${at}.compensate.handler`, unit: `${unit}!undo`, call: compensate });
  return calls;
}

function checkIterators(steps: readonly Step[]): ValidationIssue[] {
  return steps.flatMap((step, index) => {
    if (step.kind !== 'map') return [];
    const seen = new Set<string>();
    return step.iterator.flatMap((each, place) => {
      if (!seen.has(each.name)) {
        seen.add(each.name);
        return [];
      }
      const message = `step ${step.name}: ${each.name} is there twice; names are unique within a map`;
      return [{ field: `steps[${index}].iterator[${place}].name`, code: 'duplicate_step', message }];
    });
  });
}
