/**
 * The planner: what an event makes of a run, and what is to be done about it.
 *
 * 1. Pure and deterministic: the same definition, state, event and time give the same plan; no clock, no chance, no I/O.
 * 2. Total: no event in any state throws. One that comes late, twice, or from nowhere changes nothing and is `ignored`.
 * 3. What it reads and writes is the head, the steps the event touches and those that depend on them; a sweep over all steps
 *    happens once at the most, when a run stops.
 */
import type { WorkflowDefinition } from '../workflow/model.ts';
import { advance } from './advance.ts';
import type { Command } from './command.ts';
import { NEW_RUN } from './control.ts';
import { Draft } from './draft.ts';
import type { StateView } from './draft.ts';
import type { WorkflowEvent } from './event.ts';
import { PersistentMap } from './persistent-map.ts';
import type { ItemState, RunHead, StepState, WorkflowState } from './state.ts';

export interface Plan {
  readonly state: WorkflowState;
  /** In the order in which they are to be carried out. */
  readonly commands: readonly Command[];
  /** Why the event counted for nothing; null when it did count. */
  readonly ignored: string | null;
  /** Keys of the records that are new or different in `state`; empty when the event was ignored. */
  readonly changed: { readonly steps: readonly string[]; readonly items: readonly string[] };
  /** How many records were looked at. */
  readonly reads: number;
}

/** A run that has not been started. */
export function newWorkflowState(): WorkflowState {
  return { head: NEW_RUN, steps: new PersistentMap(), items: new PersistentMap() };
}

/** @param now the time of the event, from the one clock that decides. */
export function plan(
  definition: WorkflowDefinition,
  state: WorkflowState,
  event: WorkflowEvent,
  now: Date,
): Plan {
  const view: StateView = {
    head: state.head,
    step: (name) => state.steps.get(name) ?? null,
    item: (key) => state.items.get(key) ?? null,
  };
  const draft = new Draft(definition, view, now);
  advance(draft, event);
  if (draft.ignored !== null)
    return {
      state,
      commands: [],
      ignored: draft.ignored,
      changed: { steps: [], items: [] },
      reads: draft.reads,
    };
  return {
    state: { head: draft.head, steps: state.steps.with(draft.steps), items: state.items.with(draft.items) },
    commands: draft.commands,
    ignored: null,
    changed: { steps: [...draft.steps.keys()], items: [...draft.items.keys()] },
    reads: draft.reads,
  };
}

/** A part of a state: null says that a record does not exist, an absent key that it has not been read. */
export interface PartialState {
  readonly head: RunHead;
  readonly steps: ReadonlyMap<string, StepState | null>;
  readonly items: ReadonlyMap<string, ItemState | null>;
}

export type PartialPlan =
  | {
      readonly type: 'planned';
      readonly head: RunHead;
      /** Records to write. */
      readonly steps: ReadonlyMap<string, StepState>;
      readonly items: ReadonlyMap<string, ItemState>;
      readonly commands: readonly Command[];
      readonly ignored: string | null;
    }
  /** The plan needs these records as well: read them and ask again. */
  | { readonly type: 'needs'; readonly steps: readonly string[]; readonly items: readonly string[] };

/**
 * The same plan for a driver that keeps the records apart and reads no more of them than it has to. It asks again until it
 * has a plan: each time for records it has not been given, so that it ends. {@link recordsAround} names those to begin with.
 */
export function planPartial(
  definition: WorkflowDefinition,
  state: PartialState,
  event: WorkflowEvent,
  now: Date,
): PartialPlan {
  const view: StateView = {
    head: state.head,
    step: (name) => state.steps.get(name),
    item: (key) => state.items.get(key),
  };
  const draft = new Draft(definition, view, now);
  advance(draft, event);
  if (draft.missingSteps.size + draft.missingItems.size > 0)
    return { type: 'needs', steps: [...draft.missingSteps], items: [...draft.missingItems] };
  const changed = draft.ignored === null;
  return {
    type: 'planned',
    head: changed ? draft.head : state.head,
    steps: changed ? draft.steps : new Map(),
    items: changed ? draft.items : new Map(),
    commands: changed ? draft.commands : [],
    ignored: draft.ignored,
  };
}
