/** Workflows that start themselves by way of others. */
import type { ValidationIssue } from '@spine/core';
import type { WorkflowInput } from './model.ts';
import { WORKFLOW_LIMITS } from './model.ts';

/** Names of the workflows that `workflow` starts, with the field that says so. */
export function childWorkflows(
  workflow: WorkflowInput,
): readonly { readonly field: string; readonly workflow: string }[] {
  return workflow.steps.flatMap((step, index) => {
    if (step.kind === 'workflow') return [{ field: `steps[${index}].workflow`, workflow: step.workflow }];
    if (step.kind !== 'map') return [];
    return step.iterator.flatMap((each, at) =>
      each.kind === 'workflow'
        ? [{ field: `steps[${index}].iterator[${at}].workflow`, workflow: each.workflow }]
        : [],
    );
  });
}

/** Without a lookup only a workflow that starts itself is found. */
export function findWorkflowCycle(
  workflow: WorkflowInput,
  lookup?: (name: string) => WorkflowInput | undefined,
): ValidationIssue[] {
  const cleared = new Set<string>();
  /** The way back to the workflow, or null. */
  const wayBack = (name: string, path: readonly string[]): readonly string[] | null => {
    if (name === workflow.name) return [...path, name];
    if (cleared.has(name) || path.length > WORKFLOW_LIMITS.nesting) return null;
    cleared.add(name);
    const child = lookup?.(name);
    for (const next of child === undefined ? [] : childWorkflows(child)) {
      const way = wayBack(next.workflow, [...path, name]);
      if (way !== null) return way;
    }
    return null;
  };
  return childWorkflows(workflow).flatMap(({ field, workflow: name }) => {
    const way = wayBack(name, [workflow.name]);
    if (way !== null)
      return [{ field, code: 'workflow_cycle', message: `starts itself by ${way.join(' -> ')}` }];
    if (lookup === undefined || lookup(name) !== undefined) return [];
    return [{ field, code: 'unknown_workflow', message: `no workflow is registered as ${name}` }];
  });
}
