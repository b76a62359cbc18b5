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

interface PlacedCall {
  readonly field: string;
  readonly call: Pick<Call, 'kind' | 'handler'>;
}

function checkCalls(workflow: WorkflowInput, { hasHandler }: DefinitionLookups): ValidationIssue[] {
  if (hasHandler === undefined) return [];
  const onFailure = workflow.policy?.onFailure;
  const calls: PlacedCall[] = [
    ...workflow.steps.flatMap(callsOf),
    ...(onFailure === undefined ? [] : [{ field: 'policy.on_failure.handler', call: onFailure }]),
  ];
  return calls
    .filter(({ call }) => !hasHandler(call.kind, call.handler))
    .map(({ field, call }) => ({
      field,
      code: 'missing_handler',
      message: `no ${call.kind} is registered as ${call.handler}`,
    }));
}

function callsOf(step: Step, index: number): PlacedCall[] {
  const at = `steps[${index}]`;
  const calls: PlacedCall[] = [];
  if (step.kind === 'operation' || step.kind === 'lambda') calls.push({ field: `${at}.handler`, call: step });
  if (step.kind === 'map')
    step.iterator.forEach((each: IteratorStep, place) => {
      if (each.kind !== 'workflow') calls.push({ field: `${at}.iterator[${place}].handler`, call: each });
    });
  if (step.compensate !== undefined) calls.push({ field: `${at}.compensate.handler`, call: step.compensate });
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
