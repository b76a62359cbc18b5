/** Starting other workflows, for steps, items and modifications alike. */
import type { ErrorInfo, JsonObject } from '@spine/core';
import { STEP_DEFAULTS, WORKFLOW_LIMITS } from '../workflow/model.ts';
import type { Draft } from './draft.ts';
import { plannedError } from './failure.ts';

export interface ChildStart {
  readonly unit: string;
  readonly attempt: number;
  readonly workflow: string;
  readonly params: JsonObject;
  readonly wait: boolean;
  readonly inheritContext: boolean;
}

/** @returns why it cannot be started; null when it has been. */
export function startChild(draft: Draft, child: ChildStart): ErrorInfo | null {
  const { name } = draft.definition;
  const ancestors = [...draft.head.ancestors, name];
  if (ancestors.includes(child.workflow))
    return plannedError(
      'WorkflowCycleError',
      `workflow ${child.workflow} would start itself by ${[...ancestors, child.workflow].join(' -> ')}`,
    );
  if (ancestors.length >= WORKFLOW_LIMITS.nesting)
    return plannedError(
      'WorkflowNestingError',
      `workflow ${child.workflow} would be level ${ancestors.length + 1} of nesting; at most ${WORKFLOW_LIMITS.nesting} are allowed`,
    );
  draft.emit({
    type: 'start_child',
    id: `child:${child.unit}#${child.attempt}`,
    unit: child.unit,
    attempt: child.attempt,
    workflow: child.workflow,
    params: child.inheritContext ? { ...draft.head.params, ...child.params } : child.params,
    context: child.inheritContext ? draft.head.context : {},
    ancestors,
    wait: child.wait,
  });
  return null;
}

export function childTimeoutMs(timeoutSeconds: number | undefined): number {
  return (timeoutSeconds ?? STEP_DEFAULTS.subWorkflowTimeoutSeconds) * 1_000;
}
