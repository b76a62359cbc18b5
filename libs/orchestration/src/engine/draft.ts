/**
 * One advance while it is being planned: reads through to the state, keeps what has changed and what is to be done. It lives
 * within one call of `plan` and nothing outside sees it.
 */
import type { JsonValue } from '@spine/core';
import type { Edge, Incoming } from '../workflow/graph.ts';
import type { Step, WorkflowDefinition } from '../workflow/model.ts';
import type { Command } from './command.ts';
import { RunGraph } from './run-graph.ts';
import type { ItemState, RunHead, StepState } from './state.ts';
import { timerKey, unitKey } from './unit.ts';
import type { TimerKind } from './unit.ts';

/** What a driver has read; null for a record that does not exist, undefined for one that was not read. */
export interface StateView {
  readonly head: RunHead;
  step(name: string): StepState | null | undefined;
  item(key: string): ItemState | null | undefined;
}

/** How what has begun ends when a run stops. */
export type Sweep = 'drain' | 'cancel' | 'abandon';

const UNTOUCHED_ITEM: ItemState = {
  status: 'pending',
  input: null,
  stage: 0,
  attempt: 0,
  tries: 0,
  outputs: {},
  error: null,
  timer: null,
};

export class Draft {
  readonly definition: WorkflowDefinition;
  readonly now: Date;
  readonly view: StateView;
  graph: RunGraph;
  head: RunHead;
  readonly steps = new Map<string, StepState>();
  readonly items = new Map<string, ItemState>();
  readonly commands: Command[] = [];
  /** Records that were needed and have not been read. */
  readonly missingSteps = new Set<string>();
  readonly missingItems = new Set<string>();
  /** Settled steps whose dependents have not been told. */
  readonly settled: string[] = [];
  /** Maps that may start items. */
  readonly pumping = new Set<string>();
  /** How to end what has begun, when the run has been stopped in this advance. */
  sweep: Sweep | null = null;
  /** Why the event counted for nothing. */
  ignored: string | null = null;
  /** Records looked at, for tests that count work. */
  reads = 0;

  constructor(definition: WorkflowDefinition, view: StateView, now: Date) {
    this.definition = definition;
    this.view = view;
    this.now = now;
    this.head = view.head;
    this.graph = new RunGraph(definition, view.head.overlay);
  }

  patchHead(patch: Partial<RunHead>): void {
    this.head = { ...this.head, ...patch };
  }

  step(name: string): StepState {
    this.reads += 1;
    const changed = this.steps.get(name);
    if (changed !== undefined) return changed;
    const stored = this.view.step(name);
    if (stored === undefined) this.missingSteps.add(name);
    return stored ?? this.#untouched(name);
  }

  patchStep(name: string, patch: Partial<StepState>): StepState {
    const next = { ...this.step(name), ...patch };
    this.steps.set(name, next);
    return next;
  }

  item(step: string, index: number): ItemState {
    this.reads += 1;
    const key = unitKey({ type: 'item', step, index });
    const changed = this.items.get(key);
    if (changed !== undefined) return changed;
    const stored = this.view.item(key);
    if (stored === undefined) this.missingItems.add(key);
    return stored ?? UNTOUCHED_ITEM;
  }

  patchItem(step: string, index: number, patch: Partial<ItemState>): ItemState {
    const next = { ...this.item(step, index), ...patch };
    this.items.set(unitKey({ type: 'item', step, index }), next);
    return next;
  }

  newItem(step: string, index: number, input: JsonValue, attempt: number): void {
    this.items.set(unitKey({ type: 'item', step, index }), { ...UNTOUCHED_ITEM, input, attempt });
  }

  /** Changes the plan of this run from here on. */
  overlay(changes: {
    readonly steps?: Readonly<Record<string, Step>>;
    readonly outgoing?: Readonly<Record<string, readonly Edge[]>>;
    readonly incoming?: Readonly<Record<string, Incoming>>;
  }): void {
    const before = this.head.overlay;
    const overlay = {
      steps: { ...before?.steps, ...changes.steps },
      outgoing: { ...before?.outgoing, ...changes.outgoing },
      incoming: { ...before?.incoming, ...changes.incoming },
    };
    this.patchHead({ overlay });
    this.graph = new RunGraph(this.definition, overlay);
  }

  emit(command: Command): void {
    this.commands.push(command);
  }

  setTimer(unit: string, attempt: number, kind: TimerKind, delayMs: number): void {
    this.setTimerAt(unit, attempt, kind, new Date(this.now.getTime() + delayMs));
  }

  setTimerAt(unit: string, attempt: number, kind: TimerKind, at: Date): void {
    const timer = timerKey(unit, attempt, kind);
    this.emit({ type: 'set_timer', id: `set:${timer}`, timer, at });
  }

  clearTimer(unit: string, attempt: number, kind: TimerKind | null): void {
    if (kind === null) return;
    const timer = timerKey(unit, attempt, kind);
    this.emit({ type: 'clear_timer', id: `clear:${timer}`, timer });
  }

  #untouched(name: string): StepState {
    return {
      status: 'pending',
      open: this.graph.incoming(name).total,
      taken: 0,
      attempt: 0,
      tries: 0,
      output: null,
      error: null,
      reason: null,
      chosen: null,
      params: null,
      timer: null,
      nextReady: null,
      undoable: false,
      nextUndo: null,
      undo: null,
      map: null,
    };
  }
}
