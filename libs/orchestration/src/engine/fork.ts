/**
 * A new run that begins in the middle of another: what came before the step, and what has nothing to do with it, is taken
 * over; the step and all that depends on it runs again.
 */
import { Err, Ok } from '@spine/core';
import type { JsonObject, Result } from '@spine/core';
import type { WorkflowDefinition } from '../workflow/model.ts';
import { follow } from './advance.ts';
import { NEW_RUN, startTimeout } from './control.ts';
import { Draft } from './draft.ts';
import { PersistentMap } from './persistent-map.ts';
import type { Plan } from './plan.ts';
import { enqueue } from './queue.ts';
import { errorPolicyOf } from './settle.ts';
import type { StepState, WorkflowState } from './state.ts';

export interface Fork {
  readonly runId: string;
  /** The first step that runs again. */
  readonly from: string;
  /** In place of those of the other run. Default: its own. */
  readonly params?: JsonObject;
}

/**
 * The start of the forked run: its state and its first commands. The new run undoes nothing that the other one has done.
 * Costs the size of the state.
 */
export function forkRun(
  definition: WorkflowDefinition,
  state: WorkflowState,
  { runId, from, params }: Fork,
  now: Date,
): Result<Plan, string> {
  const { environment, ancestors, context, previous, overlay } = state.head;
  const head = { ...NEW_RUN, runId, environment, ancestors, context, previous, overlay };
  const empty = { head, step: () => null, item: () => null };
  const draft = new Draft(definition, empty, now);
  if (!draft.graph.has(from)) return new Err(`there is no step ${from}`);
  const again = withDependents(draft, from);
  const kept = draft.graph.names().flatMap((name): [string, StepState][] => {
    const step = state.steps.get(name);
    return step === undefined || again.has(name) || !isAccepted(draft, name, step) ? [] : [[name, step]];
  });
  draft.patchHead({
    phase: { type: 'running' },
    params: params ?? state.head.params,
    remaining: draft.graph.names().length - kept.length,
  });
  for (const [name, step] of kept) {
    draft.steps.set(name, { ...step, undoable: false, nextUndo: null, undo: null, nextReady: null });
    draft.settled.push(name);
  }
  const begun = new Set(kept.map(([name]) => name));
  for (const name of draft.graph.names())
    if (!begun.has(name) && draft.graph.incoming(name).total === 0) enqueue(draft, name);
  startTimeout(draft);
  follow(draft);
  return new Ok({
    state: {
      head: draft.head,
      steps: new PersistentMap(draft.steps),
      items: new PersistentMap(draft.items),
    },
    commands: draft.commands,
    ignored: null,
    changed: { steps: [...draft.steps.keys()], items: [...draft.items.keys()] },
    reads: draft.reads,
  });
}

/** Settled, and such that what depends on it was told: a failure that stopped the run, or a cancelled step, was not. */
function isAccepted(draft: Draft, name: string, { status }: StepState): boolean {
  if (status === 'failed') return errorPolicyOf(draft, draft.graph.step(name)) === 'continue';
  return status === 'completed' || status === 'skipped' || status === 'not_taken';
}

function withDependents(draft: Draft, from: string): ReadonlySet<string> {
  const found = new Set([from]);
  // The set grows while it is walked.
  for (const name of found) for (const { to } of draft.graph.outgoing(name)) found.add(to);
  return found;
}
