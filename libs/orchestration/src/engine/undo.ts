/**
 * What follows when a run has stopped, and its sub-workflows have undone what they had done: completed steps that say how
 * are undone, the last completed first, one at a time;
 * then the failure handler is called; then the run has ended. A compensation that fails for good is counted, and the next one goes on.
 */
import type { ErrorInfo, JsonObject } from '@spine/core';
import { DEFAULT_RETRY } from '../workflow/model.ts';
import { parseObjectTemplate, RUN_ROOTS } from '../workflow/template.ts';
import type { Draft } from './draft.ts';
import { retryAfterMs, wrongParams } from './failure.ts';
import { runScope } from './scope.ts';
import type { RunOutcome } from './state.ts';
import { ON_FAILURE_UNIT, unitKey, WORKFLOW_TIMER } from './unit.ts';

/** Undoes the next step, or goes on to the failure handler and the end. */
export function undoNext(draft: Draft, outcome: RunOutcome): void {
  while (draft.head.undo !== null && outcome.status !== 'continued') {
    const name = draft.head.undo;
    draft.patchHead({ undo: draft.step(name).nextUndo, phase: { type: 'undoing', outcome, step: name } });
    if (startUndo(draft, name)) return;
  }
  callFailureHandler(draft, outcome);
}

/** @returns false when it could not even be started, which counts as its failure. */
export function startUndo(draft: Draft, name: string): boolean {
  const compensate = draft.graph.compiled(name)?.compensate;
  if (compensate === undefined || compensate === null) return false;
  const attempt = (draft.step(name).undo?.attempt ?? 0) + 1;
  const params = compensate.params.fill(runScope(draft));
  if (params.isErr()) {
    giveUp(draft, name, attempt, wrongParams(params.error));
    return false;
  }
  const unit = unitKey({ type: 'undo', step: name });
  draft.patchStep(name, { undo: { status: 'running', attempt, error: null } });
  draft.emit({
    type: 'compensate_step',
    id: `start:${unit}#${attempt}`,
    unit,
    step: name,
    attempt,
    call: { kind: compensate.call.kind, handler: compensate.call.handler },
    params: params.value,
    timeoutSeconds: null,
  });
  return true;
}

/** @param error null when it has succeeded. */
export function settleUndo(draft: Draft, name: string, attempt: number, error: ErrorInfo | null): void {
  const { phase } = draft.head;
  const undo = draft.step(name).undo;
  if (
    phase.type !== 'undoing' ||
    phase.step !== name ||
    undo?.attempt !== attempt ||
    undo.status !== 'running'
  ) {
    draft.ignored = `the compensation of step ${name} is not at attempt ${attempt}`;
    return;
  }
  if (error === null) draft.patchStep(name, { undo: { status: 'completed', attempt, error: null } });
  else {
    const unit = unitKey({ type: 'undo', step: name });
    const delayMs = retryAfterMs(DEFAULT_RETRY, attempt, error, `${draft.head.runId}/${unit}/${attempt}`);
    if (delayMs !== null) {
      draft.setTimer(unit, attempt, 'retry', delayMs);
      draft.patchStep(name, { undo: { status: 'retrying', attempt, error } });
      return;
    }
    giveUp(draft, name, attempt, error);
  }
  undoNext(draft, phase.outcome);
}

function giveUp(draft: Draft, name: string, attempt: number, error: ErrorInfo): void {
  draft.patchStep(name, { undo: { status: 'failed', attempt, error } });
  draft.patchHead({ undoFailures: draft.head.undoFailures + 1 });
}

/** Ends a run that is being undone: what is left stays as it is, and is counted. */
export function abandonUndo(draft: Draft, name: string, outcome: RunOutcome): void {
  const { undo } = draft.step(name);
  const unit = unitKey({ type: 'undo', step: name });
  if (undo !== null) {
    if (undo.status === 'retrying') draft.clearTimer(unit, undo.attempt, 'retry');
    else
      draft.emit({ type: 'cancel_step', id: `cancel:${unit}#${undo.attempt}`, unit, attempt: undo.attempt });
    draft.patchStep(name, { undo: { ...undo, status: 'cancelled' } });
  }
  draft.patchHead({ undoFailures: draft.head.undoFailures + 1 });
  abandonAll(draft, outcome);
}

/** Ends a run of which nothing more is undone: each step that is left is counted. */
export function abandonAll(draft: Draft, outcome: RunOutcome): void {
  let left = 0;
  for (let at = draft.head.undo; at !== null; at = draft.step(at).nextUndo) left += 1;
  draft.patchHead({ undo: null, undoFailures: draft.head.undoFailures + left });
  end(draft, outcome, {});
}

function callFailureHandler(draft: Draft, outcome: RunOutcome): void {
  const call = draft.definition.policy?.onFailure;
  if (call === undefined || (outcome.status !== 'failed' && outcome.status !== 'timed_out'))
    return end(draft, outcome, {});
  const params = parseObjectTemplate(call.params ?? {}, RUN_ROOTS, []).fill(runScope(draft));
  draft.patchHead({ phase: { type: 'handling', outcome } });
  draft.emit({
    type: 'run_on_failure',
    id: `start:${ON_FAILURE_UNIT}#1`,
    unit: ON_FAILURE_UNIT,
    attempt: 1,
    call: { kind: call.kind, handler: call.handler },
    // The handler is told what has happened even where its own params lead nowhere.
    params: { ...params.unwrapOr({}), failure: failureOf(outcome) },
    timeoutSeconds: null,
  });
}

function failureOf({ status, step, error }: RunOutcome): JsonObject {
  return {
    status,
    step,
    error: error === null ? null : { message: error.message, type: error.type, category: error.category },
  };
}

/** The last command of a run. */
export function end(draft: Draft, outcome: RunOutcome, outputs: JsonObject): void {
  if (draft.definition.policy?.timeoutSeconds !== undefined)
    draft.emit({ type: 'clear_timer', id: `clear:${WORKFLOW_TIMER}`, timer: WORKFLOW_TIMER });
  draft.patchHead({ phase: { type: 'ended', outcome } });
  draft.emit({
    type: 'complete',
    id: 'complete',
    status: outcome.status,
    outputs,
    step: outcome.step,
    error: outcome.error,
    undoFailures: draft.head.undoFailures,
    next: outcome.next?.params ?? null,
  });
}
