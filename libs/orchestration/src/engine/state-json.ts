/** A whole state as one JSON value, for checkpoints, snapshots and tests. Its inside is the planner's own affair. */
import { PersistentMap } from './persistent-map.ts';
import type { ItemState, RunHead, StepState, WorkflowState } from './state.ts';

export interface WorkflowStateJson {
  /** Of the shape. */
  readonly version: 1;
  readonly head: RunHead;
  readonly steps: Readonly<Record<string, StepState>>;
  readonly items: Readonly<Record<string, ItemState>>;
}

/** Costs the size of the state. */
export function stateToJson(state: WorkflowState): WorkflowStateJson {
  return {
    version: 1,
    head: state.head,
    steps: Object.fromEntries(state.steps.entries()),
    items: Object.fromEntries(state.items.entries()),
  };
}

/** @param json what `stateToJson` made, read back. */
export function stateFromJson(json: WorkflowStateJson): WorkflowState {
  return {
    head: json.head,
    steps: new PersistentMap(Object.entries(json.steps)),
    items: new PersistentMap(Object.entries(json.items)),
  };
}
