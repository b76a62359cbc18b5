/** The start of a run, and what people do to it: pause, resume, cancel. */
import { prepare } from './run-graph.ts';
import type { Draft } from './draft.ts';
import type { ForkedFrom, WorkflowEvent } from './event.ts';
import { enqueue } from './queue.ts';
import { stop } from './settle.ts';
import type { RunHead, RunOutcome } from './state.ts';
import { abandonUndo, end } from './undo.ts';
import { ON_FAILURE_UNIT, WORKFLOW_TIMER } from './unit.ts';

export const NEW_RUN: RunHead = {
  phase: { type: 'new' },
  runId: '',
  environment: 'production',
  ancestors: [],
  params: {},
  context: {},
  previous: {},
  signals: {},
  waiters: {},
  paused: false,
  remaining: 0,
  active: 0,
  running: 0,
  slotQueue: { first: null, last: null },
  freeQueue: { first: null, last: null },
  maps: [],
  undo: null,
  undoFailures: 0,
  overlay: null,
};

export function startRun(draft: Draft, event: Extract<WorkflowEvent, { type: 'started' }>): void {
  if (draft.head.phase.type !== 'new') {
    draft.ignored = 'the run has been started';
    return;
  }
  draft.patchHead({
    phase: { type: 'running' },
    runId: event.runId,
    environment: event.environment ?? NEW_RUN.environment,
    ancestors: event.ancestors ?? [],
    params: { ...draft.definition.defaults, ...event.params },
    context: event.context ?? {},
    previous: event.previous ?? {},
    remaining: prepare(draft.definition).graph.names.length,
  });
  startTimeout(draft);
  if (event.fork !== undefined) startFork(draft, event.fork);
  else for (const name of draft.graph.roots) enqueue(draft, name);
}

/** What is taken over counts as settled now; what waits for nothing else begins. The other run's deeds are not undone here. */
function startFork(draft: Draft, { kept, signals, overlay }: ForkedFrom): void {
  if (overlay !== null) draft.overlay(overlay);
  draft.patchHead({ signals, remaining: draft.graph.names().length - kept.length });
  for (const name of kept) {
    draft.patchStep(name, { undoable: false, nextUndo: null, undo: null, nextReady: null });
    draft.settled.push(name);
  }
  const begun = new Set(kept);
  for (const name of draft.graph.names())
    if (!begun.has(name) && draft.graph.incoming(name).total === 0) enqueue(draft, name);
}

/** The time of the whole run begins. */
function startTimeout(draft: Draft): void {
  const timeout = draft.definition.policy?.timeoutSeconds;
  if (timeout === undefined) return;
  const at = new Date(draft.now.getTime() + timeout * 1_000);
  draft.emit({ type: 'set_timer', id: `set:${WORKFLOW_TIMER}`, timer: WORKFLOW_TIMER, at });
}

export function pauseRun(draft: Draft): void {
  if (draft.head.phase.type === 'running' && !draft.head.paused) draft.patchHead({ paused: true });
  else draft.ignored = draft.head.paused ? 'the run is paused' : 'the run is not running';
}

export function resumeRun(draft: Draft): void {
  if (!draft.head.paused) {
    draft.ignored = 'the run is not paused';
    return;
  }
  draft.patchHead({ paused: false });
  for (const name of draft.head.maps) draft.pumping.add(name);
}

export function cancelRun(draft: Draft, event: Extract<WorkflowEvent, { type: 'cancel' }>): void {
  const { phase } = draft.head;
  const outcome: RunOutcome = { status: 'cancelled', step: null, error: null, next: null };
  switch (phase.type) {
    case 'new':
      return end(draft, outcome, {});
    case 'running':
      draft.emit({ type: 'cancel_detached', id: 'cancel:detached' });
      return stop(draft, outcome, 'cancel');
    case 'stopping':
      if (phase.how === undefined) {
        draft.emit({ type: 'cancel_detached', id: 'cancel:detached' });
        return stop(draft, outcome, 'cancel');
      }
      if (event.givenUp === true) break;
      return stop(draft, outcome, 'abandon');
    case 'undoing':
      if (event.givenUp === true) break;
      return abandonUndo(draft, phase.step, phase.outcome);
    case 'handling':
      if (event.givenUp === true) break;
      draft.emit({
        type: 'cancel_step',
        id: `cancel:${ON_FAILURE_UNIT}#1`,
        unit: ON_FAILURE_UNIT,
        attempt: 1,
      });
      return end(draft, phase.outcome, {});
    case 'ended':
      break;
  }
  draft.ignored =
    phase.type === 'ended' ? `the run has ended; ${event.by} comes late` : 'it is undone already';
}
