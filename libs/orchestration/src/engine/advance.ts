/**
 * One event, and everything that follows from it at once.
 *
 * 1. Only steps that an edge or a timer has made ready are looked at: the cost of an advance is what the event touches, and
 *    what depends on it. 2. Slots are handed out in the order in which steps became ready; what needs none never waits for
 *    one. 3. A run ends exactly once, with one `complete`.
 */
import { assertNever } from '@spine/core';
import { decideApproval } from './approval.ts';
import { leadsOn } from './choice.ts';
import { cancelRun, pauseRun, resumeRun, startRun } from './control.ts';
import type { Draft } from './draft.ts';
import type { WorkflowEvent } from './event.ts';
import { pumpMap } from './map.ts';
import { modifyRun } from './modifications.ts';
import { completeRun, keptOutputs } from './outputs.ts';
import { dequeue, enqueue } from './queue.ts';
import { childSettled, itemSettled, stepSettled } from './results.ts';
import { settleStep } from './settle.ts';
import { startStep } from './start.ts';
import { sweep } from './sweep.ts';
import { timerFired } from './timers.ts';
import { abandonAll, end, undoNext } from './undo.ts';
import { takeSignal } from './wait.ts';

export function advance(draft: Draft, event: WorkflowEvent): void {
  const { phase } = draft.head;
  if (
    phase.type === 'ended' ||
    (phase.type === 'new' && event.type !== 'started' && event.type !== 'cancel')
  ) {
    draft.ignored = phase.type === 'ended' ? 'the run has ended' : 'the run has not been started';
    return;
  }
  take(draft, event);
  if (draft.ignored === null) follow(draft);
}

function take(draft: Draft, event: WorkflowEvent): void {
  switch (event.type) {
    case 'started':
      return startRun(draft, event);
    case 'step_settled':
      return stepSettled(draft, event);
    case 'map_item_settled':
      return itemSettled(draft, event);
    case 'child_settled':
      return childSettled(draft, event);
    case 'timer_fired':
      return timerFired(draft, event.timer);
    case 'approval_decided':
      return decideApproval(draft, event);
    case 'signal':
      return takeSignal(draft, event.name, event.data);
    case 'cancel':
      return cancelRun(draft, event);
    case 'pause':
      return pauseRun(draft);
    case 'resume':
      return resumeRun(draft);
    case 'modified':
      return modifyRun(draft, event.modification);
    default:
      return assertNever(event);
  }
}

/** Everything that what has settled and become ready leads to. */
export function follow(draft: Draft): void {
  do {
    tellDependents(draft);
    if (draft.sweep !== null) {
      const how = draft.sweep;
      draft.sweep = null;
      sweep(draft, how);
    }
    pumpMaps(draft);
  } while (startNext(draft) || draft.settled.length > 0 || draft.sweep !== null || draft.pumping.size > 0);
  conclude(draft);
}

function tellDependents(draft: Draft): void {
  for (let name = draft.settled.pop(); name !== undefined; name = draft.settled.pop()) {
    const from = draft.step(name);
    for (const edge of draft.graph.outgoing(name)) {
      const to = draft.step(edge.to);
      if (to.status !== 'pending') continue;
      const taken = to.taken + (edge.kind !== 'order' && leadsOn(draft, name, from, edge) ? 1 : 0);
      draft.patchStep(edge.to, { open: to.open - 1, taken });
      if (to.open > 1) continue;
      if (taken === 0 && draft.graph.incoming(edge.to).deciding > 0)
        settleStep(draft, edge.to, { status: 'not_taken' });
      else enqueue(draft, edge.to);
    }
  }
}

function pumpMaps(draft: Draft): void {
  for (const name of draft.pumping) {
    draft.pumping.delete(name);
    pumpMap(draft, name);
  }
}

/** @returns whether a step has been started. */
function startNext(draft: Draft): boolean {
  if (draft.head.phase.type !== 'running' || draft.head.paused) return false;
  const limit = draft.definition.policy?.maxConcurrency ?? Number.POSITIVE_INFINITY;
  const name =
    dequeue(draft, 'freeQueue') ?? (draft.head.running < limit ? dequeue(draft, 'slotQueue') : null);
  if (name === null) return false;
  startStep(draft, name);
  return true;
}

function conclude(draft: Draft): void {
  const { phase } = draft.head;
  if (phase.type === 'running' && draft.head.remaining === 0) {
    completeRun(draft);
    // The outputs may lead nowhere, which stops the run after all.
    if (draft.sweep !== null) follow(draft);
    return;
  }
  if (phase.type !== 'stopping' || draft.head.active > 0) return;
  if (phase.outcome.status === 'continued') end(draft, phase.outcome, keptOutputs(draft, phase.outcome));
  else if (phase.how === 'abandon') abandonAll(draft, phase.outcome);
  else undoNext(draft, phase.outcome);
}
