/**
 * Sub-workflows that a run gives up: what they have done is undone by plans of their own.
 *
 * 1. The step, or the item, of one that was given up is not settled before it has ended. A run therefore undoes nothing of
 * its own, makes no further attempt and does not end while something below it is being undone. 2. One that has completed
 * before it heard of it has completed: its step can be undone like any other. 3. It is told once to begin, and once at the
 * most to stop undoing. 4. Those that ran side by side are undone side by side: nothing was built on any of them.
 */
import type { ErrorInfo } from '@spine/core';
import type { StepResult } from '../workflow/step-result.ts';
import type { Draft, Sweep } from './draft.ts';
import { plannedError } from './failure.ts';
import { clearItemTimer, itemFailed, patchProgress } from './map-item.ts';
import { failAttempt, settleStep } from './settle.ts';
import type { GivenUp, ItemState } from './state.ts';
import { unitKey } from './unit.ts';

/** An attempt took too long. @param error what has become of it, unless its sub-workflow has completed. */
export function giveUpStep(draft: Draft, name: string, why: GivenUp, error: ErrorInfo | null): void {
  const { attempt, timer } = draft.step(name);
  tell(draft, name, attempt, 'begin');
  draft.clearTimer(name, attempt, timer);
  draft.patchStep(name, { givenUp: why, timer: null, ...(error === null ? {} : { error }) });
}

export function giveUpItem(
  draft: Draft,
  name: string,
  index: number,
  why: GivenUp,
  error: ErrorInfo | null,
): void {
  const item = draft.item(name, index);
  tell(draft, unitKey({ type: 'item', step: name, index }), item.attempt, 'begin');
  clearItemTimer(draft, name, index, item);
  draft.patchItem(name, index, { givenUp: why, timer: null, ...(error === null ? {} : { error }) });
}

/** The step of a sub-workflow that is running when its run stops. */
export function sweepChild(draft: Draft, name: string, how: Exclude<Sweep, 'drain'>): void {
  const { attempt, givenUp } = draft.step(name);
  if (!isGivenUp(givenUp)) giveUpStep(draft, name, 'cancelled', null);
  else if (how === 'abandon') tell(draft, name, attempt, 'abandon');
}

/** The same for an item. */
export function sweepChildItem(
  draft: Draft,
  name: string,
  index: number,
  how: Exclude<Sweep, 'drain'>,
): void {
  const { attempt, givenUp } = draft.item(name, index);
  if (!isGivenUp(givenUp)) giveUpItem(draft, name, index, 'cancelled', null);
  else if (how === 'abandon') tell(draft, unitKey({ type: 'item', step: name, index }), attempt, 'abandon');
}

/** The sub-workflow of a step has ended. @returns false for one that has completed, or was not given up. */
export function settleGivenUp(draft: Draft, name: string, result: StepResult): boolean {
  const { givenUp, error } = draft.step(name);
  if (!isGivenUp(givenUp)) return false;
  draft.patchStep(name, { givenUp: null });
  if (result.status === 'ok') return false;
  if (givenUp === 'cancelled') settleStep(draft, name, { status: 'cancelled' });
  else failAttempt(draft, name, error ?? lost(name));
  return true;
}

/** The same for an item, of the state it had. */
export function settleGivenUpItem(
  draft: Draft,
  name: string,
  index: number,
  { givenUp, error }: ItemState,
  result: StepResult,
): boolean {
  if (!isGivenUp(givenUp)) return false;
  draft.patchItem(name, index, { givenUp: null });
  if (result.status === 'ok') return false;
  if (givenUp === 'cancelled') {
    draft.patchItem(name, index, { status: 'cancelled' });
    patchProgress(draft, name, (map) => ({ ...map, running: map.running - 1 }));
    draft.pumping.add(name);
  } else {
    itemFailed(draft, name, index, error ?? lost(unitKey({ type: 'item', step: name, index })));
  }
  return true;
}

/** Records of runs that began before there was such a field have none. */
export function isGivenUp(givenUp: GivenUp | null | undefined): givenUp is GivenUp {
  return givenUp !== undefined && givenUp !== null;
}

function tell(draft: Draft, unit: string, attempt: number, undo: 'begin' | 'abandon'): void {
  const id = `${undo === 'begin' ? 'cancel' : 'abandon'}:${unit}#${attempt}`;
  draft.emit({ type: 'cancel_child', id, unit, attempt, undo });
}

function lost(unit: string): ErrorInfo {
  return plannedError('ChildWorkflowFailed', `${unit}: the child was given up`);
}
