/** What steps, items, compensations and children answer. An answer that is not of the present attempt counts for nothing. */
import type { ErrorInfo } from '@spine/core';
import type { OkResult, StepResult } from '../workflow/step-result.ts';
import { chooseNext } from './choice.ts';
import type { Draft } from './draft.ts';
import type { WorkflowEvent } from './event.ts';
import { plannedError, sizeProblem } from './failure.ts';
import { settleGivenUp, settleGivenUpItem } from './give-up.ts';
import { itemFailed, itemSucceeded } from './map-item.ts';
import { modify } from './modifications.ts';
import { failAttempt, settleStep, stop } from './settle.ts';
import { end, settleUndo } from './undo.ts';
import { parseUnit } from './unit.ts';

export function stepSettled(draft: Draft, event: Extract<WorkflowEvent, { type: 'step_settled' }>): void {
  const unit = parseUnit(event.unit);
  switch (unit?.type) {
    case 'step':
      if (isAt(draft, unit.step, event.attempt, 'call')) return settleAttempt(draft, unit.step, event.result);
      break;
    case 'undo':
      return settleUndo(draft, unit.step, event.attempt, errorOf(event.result));
    case 'on_failure':
      if (draft.head.phase.type === 'handling') return end(draft, draft.head.phase.outcome, {});
      break;
    case 'item':
      return itemSettled(draft, { ...unit, attempt: event.attempt, result: event.result });
    case undefined:
      break;
  }
  draft.ignored = `${event.unit} is not at attempt ${event.attempt}`;
}

export interface ItemSettlement {
  readonly step: string;
  readonly index: number;
  readonly attempt: number;
  readonly result: StepResult;
}

/** What an item's step answers besides its output counts for nothing: items are alike, and many. */
export function itemSettled(draft: Draft, { step, index, attempt, result }: ItemSettlement): void {
  const known = draft.graph.step(step)?.kind === 'map' && draft.step(step).status === 'running';
  const item = known ? draft.item(step, index) : null;
  if (item?.status !== 'running' || item.attempt !== attempt) {
    draft.ignored = `${step}[${index}] is not at attempt ${attempt}`;
    return;
  }
  if (settleGivenUpItem(draft, step, index, item, result)) return;
  switch (result.status) {
    case 'fail':
      return itemFailed(draft, step, index, result.error);
    case 'skip':
      return itemSucceeded(draft, step, index, {});
    case 'ok': {
      const problem = sizeProblem(`${step}[${index}]`, result.output);
      if (problem === null) itemSucceeded(draft, step, index, result.output);
      else itemFailed(draft, step, index, problem);
    }
  }
}

export function childSettled(draft: Draft, event: Extract<WorkflowEvent, { type: 'child_settled' }>): void {
  const unit = parseUnit(event.unit);
  const result: StepResult =
    event.status === 'completed'
      ? { status: 'ok', output: event.outputs }
      : {
          status: 'fail',
          error:
            event.error ?? plannedError('ChildWorkflowFailed', `${event.unit}: the child is ${event.status}`),
        };
  if (unit?.type === 'item') return itemSettled(draft, { ...unit, attempt: event.attempt, result });
  if (unit?.type === 'step' && isAt(draft, unit.step, event.attempt, 'workflow')) {
    if (!settleGivenUp(draft, unit.step, result)) settleAttempt(draft, unit.step, result);
    return;
  }
  draft.ignored = `${event.unit} is not at attempt ${event.attempt}`;
}

function isAt(draft: Draft, name: string, attempt: number, kind: 'call' | 'workflow'): boolean {
  if (draft.graph.compiled(name)?.body.kind !== kind) return false;
  const step = draft.step(name);
  return step.status === 'running' && step.attempt === attempt;
}

function settleAttempt(draft: Draft, name: string, result: StepResult): void {
  noteQuality(draft, name, result);
  switch (result.status) {
    case 'fail':
      return failAttempt(draft, name, result.error);
    case 'skip':
      return settleStep(draft, name, { status: 'skipped', reason: result.reason });
    case 'ok': {
      const problem = sizeProblem(name, result.output) ?? takeWishes(draft, name, result);
      if (problem !== null) return failAttempt(draft, name, problem);
      const chosen = draft.head.phase.type === 'running' ? (result.nextStep ?? null) : null;
      settleStep(draft, name, { status: 'completed', output: result.output, chosen });
      goOnAsNew(draft, result);
    }
  }
}

/** Records of steps that never say anything about their data stay small. */
function noteQuality(draft: Draft, name: string, result: StepResult): void {
  const quality = result.status === 'skip' ? null : (result.quality ?? null);
  const before = draft.step(name).quality ?? null;
  if (quality !== null || before !== null) draft.patchStep(name, { quality });
}

/** Context, modifications and the choice of the next step; a run that is stopping has no use for the last two. */
function takeWishes(draft: Draft, name: string, result: OkResult): ErrorInfo | null {
  if (result.contextUpdates !== undefined) {
    const context = { ...draft.head.context, ...result.contextUpdates };
    const problem = sizeProblem(`the context after ${name}`, context);
    if (problem !== null) return problem;
    draft.patchHead({ context });
  }
  if (draft.head.phase.type !== 'running') return null;
  for (const modification of result.modifications ?? []) {
    if (modification.type === 'continue_as_new') continue;
    const problem = modify(draft, modification);
    if (problem !== null) return plannedError('ModificationError', `step ${name}: ${problem}`);
  }
  return result.nextStep === undefined ? null : chooseNext(draft, name, result.nextStep);
}

/** After the step itself has settled, or the run would cancel it. */
function goOnAsNew(draft: Draft, result: OkResult): void {
  const wish = result.modifications?.find((each) => each.type === 'continue_as_new');
  if (wish?.type !== 'continue_as_new' || draft.head.phase.type !== 'running') return;
  const next = { params: wish.params, keepOutputs: wish.keepOutputs };
  stop(draft, { status: 'continued', step: null, error: null, next }, 'cancel');
}

function errorOf(result: StepResult): ErrorInfo | null {
  return result.status === 'fail' ? result.error : null;
}
