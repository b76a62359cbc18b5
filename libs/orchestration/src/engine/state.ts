/**
 * Where a run is: a small head, and a record for each step and each item of a map that something has happened to. All of it
 * is JSON. Drivers may keep the records apart: an advance reads and writes only those it is about.
 *
 * 1. A step is settled once: from then on only `retry_step` moves it. 2. `remaining` counts steps that are not settled,
 *    `active` those that have begun and are not, `running` those that hold a slot. 3. `open` counts the dependencies of a
 *    step that have not settled; it becomes ready when there is none, and no step is ever looked for.
 */
import type { ErrorInfo, JsonObject, JsonValue } from '@spine/core';
import type { Step } from '../workflow/model.ts';
import type { QualityMetrics } from '../workflow/quality-metrics.ts';
import type { Edge, Incoming } from '../workflow/graph.ts';
import type { PersistentMap } from './persistent-map.ts';
import type { TimerKind } from './unit.ts';

export const STEP_STATUSES = [
  /** Waits for others. */
  'pending',
  /** Waits for a slot, or for the run to be resumed. */
  'ready',
  'running',
  /** For a time or a signal. */
  'waiting',
  'awaiting_approval',
  /** Between two attempts. */
  'retrying',
  'completed',
  'failed',
  /** Had nothing to do: a condition, its own word, or a modification. Counts as done. */
  'skipped',
  /** A choice went another way. */
  'not_taken',
  'cancelled',
] as const;
export type StepStatus = (typeof STEP_STATUSES)[number];

export const SETTLED_STATUSES: ReadonlySet<StepStatus> = new Set([
  'completed',
  'failed',
  'skipped',
  'not_taken',
  'cancelled',
]);
export const ACTIVE_STATUSES: ReadonlySet<StepStatus> = new Set([
  'running',
  'waiting',
  'awaiting_approval',
  'retrying',
]);

export interface ItemError {
  readonly index: number;
  readonly message: string;
}

/** How far a map is. */
export interface MapProgress {
  readonly count: number;
  /** The next item to start. */
  readonly next: number;
  /** Items that have begun and are not settled. */
  readonly running: number;
  readonly succeeded: number;
  readonly failed: number;
  /** Starts no more items. */
  readonly halted: boolean;
  /** Items that have begun and wait for the run to be resumed. */
  readonly held: readonly number[];
  /** Of the failed items with the lowest index, by index. */
  readonly errors: readonly ItemError[];
}

/**
 * Why a sub-workflow is being undone. Its step, or its item, is not settled before it has ended: nothing follows on
 * something that is half undone.
 */
export type GivenUp = 'cancelled' | 'timed_out';

/** The compensation of a step. */
export interface UndoState {
  readonly status: 'running' | 'retrying' | 'completed' | 'failed' | 'cancelled';
  readonly attempt: number;
  readonly error: ErrorInfo | null;
}

export interface StepState {
  readonly status: StepStatus;
  readonly open: number;
  /** Of its settled dependencies, those that lead here: without any a choice went another way. */
  readonly taken: number;
  /** How often it has started. */
  readonly attempt: number;
  /** How often since it was last begun afresh: what the retry policy counts. */
  readonly tries: number;
  readonly output: JsonObject | null;
  /** Why it failed, or why its last attempt did. */
  readonly error: ErrorInfo | null;
  /** Why it was skipped. */
  readonly reason: string | null;
  /** The step that a choice or a result has chosen. */
  readonly chosen: string | null;
  /** Params of `retry_step` in place of its own. */
  readonly params: JsonObject | null;
  /** The timer that is set for it. */
  readonly timer: TimerKind | null;
  /** The next in the queue of ready steps. */
  readonly nextReady: string | null;
  /** Whether it is to be undone if the run fails, and which step after it. */
  readonly undoable: boolean;
  readonly nextUndo: string | null;
  readonly undo: UndoState | null;
  readonly map: MapProgress | null;
  /** What its last answer has said about the data; absent for nothing. */
  readonly quality?: QualityMetrics | null;
  /** Of a sub-workflow that was given up and has not ended, and of a map with such items. */
  readonly givenUp?: GivenUp | null;
}

export const ITEM_STATUSES = [
  'pending',
  'running',
  'retrying',
  'held',
  'completed',
  'failed',
  'cancelled',
] as const;
export type ItemStatus = (typeof ITEM_STATUSES)[number];

export interface ItemState {
  readonly status: ItemStatus;
  readonly input: JsonValue;
  /** Which step of the iterator is its turn. */
  readonly stage: number;
  readonly attempt: number;
  readonly tries: number;
  /** By step of the iterator. */
  readonly outputs: JsonObject;
  readonly error: ErrorInfo | null;
  readonly timer: TimerKind | null;
  /** Of an item whose sub-workflow was given up and has not ended. */
  readonly givenUp?: GivenUp | null;
}

export const RUN_OUTCOMES = ['completed', 'failed', 'timed_out', 'cancelled', 'continued'] as const;

export interface RunOutcome {
  readonly status: (typeof RUN_OUTCOMES)[number];
  /** The step whose failure ended it. */
  readonly step: string | null;
  readonly error: ErrorInfo | null;
  /** Of `continued`. */
  readonly next: { readonly params: JsonObject; readonly keepOutputs: boolean } | null;
}

export type RunPhase =
  | { readonly type: 'new' }
  | { readonly type: 'running' }
  /**
   * Starts nothing more and waits for what is running. `how` is absent while that ends by itself; `cancel`: it was given
   * up, and sub-workflows undo what they have done; `abandon`: they stop undoing, and nothing else is undone.
   */
  | { readonly type: 'stopping'; readonly outcome: RunOutcome; readonly how?: 'cancel' | 'abandon' }
  /** Undoes `step`, the one completed last of those left. */
  | { readonly type: 'undoing'; readonly outcome: RunOutcome; readonly step: string }
  /** The failure handler runs. */
  | { readonly type: 'handling'; readonly outcome: RunOutcome }
  | { readonly type: 'ended'; readonly outcome: RunOutcome };

export interface ReadyQueue {
  readonly first: string | null;
  readonly last: string | null;
}

/** What this run's modifications have made of the definition. */
export interface Overlay {
  readonly steps: Readonly<Record<string, Step>>;
  readonly outgoing: Readonly<Record<string, readonly Edge[]>>;
  readonly incoming: Readonly<Record<string, Incoming>>;
}

export interface RunHead {
  readonly phase: RunPhase;
  readonly runId: string;
  readonly environment: string;
  /** Workflows that have led to this run, outermost first. */
  readonly ancestors: readonly string[];
  readonly params: JsonObject;
  readonly context: JsonObject;
  /** The outputs of the run that this one continues. */
  readonly previous: JsonObject;
  /** The last data of each signal. */
  readonly signals: Readonly<Record<string, JsonObject>>;
  /** Steps that wait for a signal. */
  readonly waiters: Readonly<Record<string, readonly string[]>>;
  readonly paused: boolean;
  readonly remaining: number;
  readonly active: number;
  readonly running: number;
  /** Ready steps that need a slot, and those that need none. */
  readonly slotQueue: ReadyQueue;
  readonly freeQueue: ReadyQueue;
  /** Maps that are running. */
  readonly maps: readonly string[];
  /** The step to undo first. */
  readonly undo: string | null;
  readonly undoFailures: number;
  readonly overlay: Overlay | null;
}

export interface WorkflowState {
  readonly head: RunHead;
  readonly steps: PersistentMap<StepState>;
  /** By the item's key, e.g. `load[3]`. */
  readonly items: PersistentMap<ItemState>;
}
