/**
 * The end of a step: its record, its place in the counters, and what its failure means for the run.
 *
 * 1. A step is settled once; whoever calls has checked that it is not. 2. Those that depend on it are told later, from
 *    `draft.settled`, so that a chain of any length costs no stack. 3. After `stop` nothing is told and nothing starts.
 */
import type { ErrorInfo, JsonObject } from '@spine/core';
import { DEFAULT_RETRY } from '../workflow/model.ts';
import type { ErrorPolicy, Step } from '../workflow/model.ts';
import type { RetryPolicy } from '@spine/execution';
import type { Draft, Sweep } from './draft.ts';
import { retryAfterMs } from './failure.ts';
import { needsSlot, unqueue } from './queue.ts';
import { ACTIVE_STATUSES } from './state.ts';
import type { RunOutcome } from './state.ts';

export type Ending =
  | { readonly status: 'completed'; readonly output: JsonObject; readonly chosen?: string | null }
  | { readonly status: 'failed'; readonly error: ErrorInfo }
  | { readonly status: 'skipped'; readonly reason: string }
  | { readonly status: 'not_taken' }
  | { readonly status: 'cancelled' };

export function settleStep(draft: Draft, name: string, ending: Ending): void {
  leave(draft, name);
  draft.patchStep(name, {
    status: ending.status,
    ...(ending.status === 'completed'
      ? { output: ending.output, chosen: ending.chosen ?? null, error: null }
      : {}),
    ...(ending.status === 'failed' ? { error: ending.error } : {}),
    ...(ending.status === 'skipped' ? { reason: ending.reason } : {}),
  });
  draft.patchHead({ remaining: draft.head.remaining - 1 });
  const step = draft.graph.step(name);
  if (ending.status === 'completed' && step?.compensate !== undefined) rememberToUndo(draft, name);
  if (draft.head.phase.type !== 'running') return;
  if (ending.status === 'failed' && errorPolicyOf(draft, step) !== 'continue')
    stop(draft, failedAt(name, ending.error), 'drain');
  else draft.settled.push(name);
}

/** A step that has begun gives back its slot and its timer, one that is queued its place. */
export function leave(draft: Draft, name: string): void {
  const { status, attempt, timer } = draft.step(name);
  if (status === 'ready') unqueue(draft, name);
  if (!ACTIVE_STATUSES.has(status)) return;
  const step = draft.graph.step(name);
  const held = status === 'running' && step !== undefined && needsSlot(step) ? 1 : 0;
  const waiters = step?.kind === 'wait' && 'signal' in step.wait ? step.wait.signal : null;
  draft.clearTimer(name, attempt, timer);
  draft.patchStep(name, { timer: null });
  draft.patchHead({
    active: draft.head.active - 1,
    running: draft.head.running - held,
    ...(step?.kind === 'map' ? { maps: draft.head.maps.filter((each) => each !== name) } : {}),
    ...(waiters === null ? {} : { waiters: without(draft.head.waiters, waiters, name) }),
  });
}

/** A failed attempt: made again after a while where policy and phase allow it, else the failure of the step. */
export function failAttempt(draft: Draft, name: string, error: ErrorInfo): void {
  const { attempt, tries, timer } = draft.step(name);
  const step = draft.graph.step(name);
  const delayMs =
    draft.head.phase.type === 'running' && step !== undefined
      ? retryAfterMs(retryPolicyOf(draft, step), tries, error, `${draft.head.runId}/${name}/${attempt}`)
      : null;
  if (delayMs === null || step === undefined) {
    settleStep(draft, name, { status: 'failed', error });
    return;
  }
  draft.clearTimer(name, attempt, timer);
  draft.setTimer(name, attempt, 'retry', delayMs);
  draft.patchStep(name, { status: 'retrying', error, timer: 'retry' });
  if (needsSlot(step)) draft.patchHead({ running: draft.head.running - 1 });
}

export function errorPolicyOf(draft: Draft, step: Step | undefined): ErrorPolicy {
  return step?.onError ?? draft.definition.policy?.onError ?? 'stop';
}

/** A choice, a wait or a person has given its answer; the items of a map are tried again one by one. */
function retryPolicyOf(draft: Draft, step: Step): RetryPolicy | null {
  if (step.kind !== 'operation' && step.kind !== 'lambda' && step.kind !== 'workflow') return null;
  return retryOf(draft, step.retry, errorPolicyOf(draft, step));
}

/** The policy of a step or an item: its own, or the workflow's under `retry`. */
export function retryOf(
  draft: Draft,
  own: RetryPolicy | undefined,
  onError: ErrorPolicy,
): RetryPolicy | null {
  if (own !== undefined) return own;
  return onError === 'retry' ? (draft.definition.policy?.retry ?? DEFAULT_RETRY) : null;
}

/**
 * Nothing starts from here on. `drain` lets what is running end by itself, `cancel` gives it up, `abandon` also ends the
 * undoing of sub-workflows; the sweep over all steps that this takes is done before the plan is finished.
 */
export function stop(draft: Draft, outcome: RunOutcome, how: Sweep): void {
  const { phase } = draft.head;
  if (phase.type === 'running' || phase.type === 'stopping') {
    const kept = phase.type === 'stopping' ? phase : { type: 'stopping' as const, outcome };
    const firmer = how !== 'drain' && kept.how !== 'abandon';
    draft.patchHead({ phase: firmer ? { ...kept, how } : kept, paused: false });
  }
  draft.settled.length = 0;
  draft.sweep = how === 'drain' ? (draft.sweep ?? 'drain') : how;
}

export function failedAt(step: string | null, error: ErrorInfo): RunOutcome {
  return { status: 'failed', step, error, next: null };
}

function rememberToUndo(draft: Draft, name: string): void {
  if (draft.step(name).undoable) return;
  draft.patchStep(name, { undoable: true, nextUndo: draft.head.undo });
  draft.patchHead({ undo: name });
}

function without(
  waiters: Readonly<Record<string, readonly string[]>>,
  signal: string,
  name: string,
): Readonly<Record<string, readonly string[]>> {
  const left = (waiters[signal] ?? []).filter((each) => each !== name);
  return Object.fromEntries([
    ...Object.entries(waiters).filter(([each]) => each !== signal),
    ...(left.length === 0 ? [] : [[signal, left] as const]),
  ]);
}
