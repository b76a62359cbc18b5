/** Timers that have fired. One that has been cleared, or is of an earlier attempt, counts for nothing. */
import { ErrorCategory } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import { approvalExpired } from './approval.ts';
import type { Draft } from './draft.ts';
import { plannedError } from './failure.ts';
import { giveUpItem, giveUpStep } from './give-up.ts';
import { goOn, itemFailed, iteratorOf } from './map-item.ts';
import { enqueue } from './queue.ts';
import { failAttempt, stop } from './settle.ts';
import { startUndo, undoNext } from './undo.ts';
import { parseTimer, unitKey, WORKFLOW_TIMER } from './unit.ts';
import type { TimerKind } from './unit.ts';
import { noSignalCame, waitIsOver } from './wait.ts';

export function timerFired(draft: Draft, key: string): void {
  if (key === WORKFLOW_TIMER) return runTimedOut(draft);
  const timer = parseTimer(key);
  const { phase } = draft.head;
  switch (timer?.unit.type) {
    case 'step': {
      const name = timer.unit.step;
      const known = draft.graph.has(name) ? draft.step(name) : null;
      if (known?.timer !== timer.kind || known.attempt !== timer.attempt) break;
      draft.patchStep(name, { timer: null });
      return stepTimer(draft, name, timer.kind);
    }
    case 'item': {
      const { step, index } = timer.unit;
      const item = draft.graph.has(step) ? draft.item(step, index) : null;
      if (item?.timer !== timer.kind || item.attempt !== timer.attempt) break;
      draft.patchItem(step, index, { timer: null });
      return itemTimer(draft, step, index, timer.kind);
    }
    case 'undo': {
      const name = timer.unit.step;
      if (phase.type !== 'undoing' || phase.step !== name) break;
      const { undo } = draft.step(name);
      if (undo?.status !== 'retrying' || undo.attempt !== timer.attempt) break;
      if (!startUndo(draft, name)) undoNext(draft, phase.outcome);
      return;
    }
    case 'on_failure':
    case undefined:
      break;
  }
  draft.ignored = `the timer ${key} is not set`;
}

function runTimedOut(draft: Draft): void {
  const { phase } = draft.head;
  if (phase.type !== 'running' && phase.type !== 'stopping') {
    draft.ignored = 'the run is not running';
    return;
  }
  const seconds = draft.definition.policy?.timeoutSeconds;
  const error = timedOut(`the run has not ended within ${seconds ?? 0} seconds`);
  stop(draft, { status: 'timed_out', step: null, error, next: null }, 'cancel');
}

function stepTimer(draft: Draft, name: string, kind: TimerKind): void {
  const step = draft.graph.step(name);
  switch (kind) {
    case 'retry':
      draft.patchHead({ active: draft.head.active - 1 });
      return enqueue(draft, name);
    case 'wait':
      return waitIsOver(draft, name);
    case 'approval':
      return approvalExpired(draft, name);
    case 'timeout': {
      if (step?.kind === 'wait' && 'signal' in step.wait) return noSignalCame(draft, name, step.wait.signal);
      const { attempt } = draft.step(name);
      const late = timedOut(`step ${name}: attempt ${attempt} took too long`);
      if (step?.kind === 'workflow') return giveUpStep(draft, name, 'timed_out', late);
      cancelStep(draft, name, attempt);
      return failAttempt(draft, name, late);
    }
  }
}

function itemTimer(draft: Draft, name: string, index: number, kind: TimerKind): void {
  if (kind === 'retry') return goOn(draft, name, index);
  const { attempt, stage } = draft.item(name, index);
  const unit = unitKey({ type: 'item', step: name, index });
  const late = timedOut(`${unit}: attempt ${attempt} took too long`);
  if (iteratorOf(draft, name, stage)?.step.kind === 'workflow')
    return giveUpItem(draft, name, index, 'timed_out', late);
  cancelStep(draft, unit, attempt);
  itemFailed(draft, name, index, late);
}

function cancelStep(draft: Draft, unit: string, attempt: number): void {
  draft.emit({ type: 'cancel_step', id: `cancel:${unit}#${attempt}`, unit, attempt });
}

function timedOut(message: string): ErrorInfo {
  return plannedError('TimeoutError', message, ErrorCategory.TIMEOUT);
}
