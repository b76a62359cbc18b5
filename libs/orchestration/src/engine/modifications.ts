/**
 * Changes that a run makes to its own plan. Only what has not begun is moved; what cannot be done is said and changes
 * nothing. A place in the graph passes from one step to another: nobody else's counters change.
 */
import { assertNever } from '@spine/core';
import type { JsonObject } from '@spine/core';
import { compileStep } from '../workflow/compile.ts';
import { stepJson } from '../workflow/json.ts';
import { stepToJson } from '../workflow/json-steps.ts';
import { WORKFLOW_LIMITS } from '../workflow/model.ts';
import type { Step } from '../workflow/model.ts';
import type { Modification } from '../workflow/modification.ts';
import { startChild } from './child.ts';
import type { Draft } from './draft.ts';
import { insertAfter, insertBefore, reopen } from './insert.ts';
import { enqueue, unqueue } from './queue.ts';
import { settleStep, stop } from './settle.ts';

/** A modification from outside the run's own steps. */
export function modifyRun(draft: Draft, modification: Modification): void {
  if (draft.head.phase.type !== 'running') {
    draft.ignored = 'the run is not running';
    return;
  }
  draft.ignored = modify(draft, modification);
}

/** @returns why it cannot be done; null when it has been. */
export function modify(draft: Draft, modification: Modification): string | null {
  switch (modification.type) {
    case 'skip_steps':
      return skipSteps(draft, modification.steps);
    case 'insert_step_before':
      return (
        notBegun(draft, modification.before) ??
        newStep(draft, modification.step) ??
        insertBefore(draft, modification.before, modification.step)
      );
    case 'insert_step_after':
      return newStep(draft, modification.step) ?? insertAfter(draft, modification.after, modification.step);
    case 'replace_step':
      return replaceStep(draft, modification.step);
    case 'retry_step':
      return retryStep(draft, modification.step, modification.params);
    case 'spawn_workflow':
      return spawn(draft, modification);
    case 'continue_as_new': {
      const { params, keepOutputs } = modification;
      stop(draft, { status: 'continued', step: null, error: null, next: { params, keepOutputs } }, 'cancel');
      return null;
    }
    default:
      return assertNever(modification);
  }
}

function skipSteps(draft: Draft, steps: readonly string[]): string | null {
  for (const name of steps) {
    const problem = notBegun(draft, name);
    if (problem !== null) return problem;
  }
  for (const name of new Set(steps))
    settleStep(draft, name, { status: 'skipped', reason: 'left out by the run itself' });
  return null;
}

function replaceStep(draft: Draft, step: Step): string | null {
  const problem = notBegun(draft, step.name) ?? usable(step);
  if (problem !== null) return problem;
  if (draft.graph.step(step.name)?.kind === 'choice') return `step ${step.name} is a choice, which stays`;
  const ready = draft.step(step.name).status === 'ready';
  // The queue depends on the kind: off with the old step, on with the new.
  if (ready) unqueue(draft, step.name);
  draft.overlay({ steps: { [step.name]: step } });
  if (ready) enqueue(draft, step.name);
  return null;
}

function retryStep(draft: Draft, name: string, params: JsonObject | undefined): string | null {
  const step = draft.graph.step(name);
  if (step === undefined) return `there is no step ${name}`;
  const { status } = draft.step(name);
  if (status !== 'completed' && status !== 'failed' && status !== 'skipped')
    return `step ${name} is ${status}; only one that has completed, failed or been skipped runs again`;
  if (step.kind === 'choice') return `step ${name} is a choice: the run has gone its way`;
  if (params !== undefined && step.kind !== 'operation' && step.kind !== 'lambda' && step.kind !== 'workflow')
    return `step ${name} takes no params`;
  for (const edge of draft.graph.outgoing(name)) reopen(draft, name, edge);
  draft.patchHead({ remaining: draft.head.remaining + 1 });
  draft.patchStep(name, { tries: 0, reason: null, chosen: null, params: params ?? null, open: 0 });
  enqueue(draft, name);
  return null;
}

function spawn(
  draft: Draft,
  { name, workflow, params }: Extract<Modification, { type: 'spawn_workflow' }>,
): string | null {
  if (!WORKFLOW_LIMITS.stepName.test(name)) return `${JSON.stringify(name.slice(0, 40))} is no name`;
  const child = { unit: `!spawn:${name}`, attempt: 1, workflow, params, wait: false, inheritContext: true };
  return startChild(draft, child)?.message ?? null;
}

function notBegun(draft: Draft, name: string): string | null {
  if (!draft.graph.has(name)) return `there is no step ${name}`;
  const { status } = draft.step(name);
  return status === 'pending' || status === 'ready' ? null : `step ${name} is ${status} already`;
}

function newStep(draft: Draft, step: Step): string | null {
  if (draft.graph.has(step.name)) return `there is a step ${step.name} already`;
  if (Object.keys(draft.head.overlay?.steps ?? {}).length >= WORKFLOW_LIMITS.addedSteps)
    return `the run has added ${WORKFLOW_LIMITS.addedSteps} steps already`;
  return usable(step);
}

/** A choice would need steps to choose from; the others need no more than a place. */
function usable(step: Step): string | null {
  if (step.kind === 'choice') return `step ${step.name} is a choice, which cannot be added to a run`;
  const parsed = stepJson.safeParse(stepToJson(step));
  if (!parsed.success) return `step ${step.name}: ${parsed.error.issues[0]?.message ?? 'is no step'}`;
  const [problem] = compileStep(step).problems;
  return problem === undefined ? null : `step ${step.name}: ${problem.field}: ${problem.message}`;
}
