/** One item of a map: the steps of the iterator one after the other, attempts, and what its end means for the map. */
import type { ErrorInfo, JsonObject } from '@spine/core';
import type { CompiledIterator } from '../workflow/compile.ts';
import type { MapStep } from '../workflow/model.ts';
import { childTimeoutMs, startChild } from './child.ts';
import type { Draft } from './draft.ts';
import { retryAfterMs, wrongParams } from './failure.ts';
import { itemScope } from './scope.ts';
import { errorPolicyOf, retryOf } from './settle.ts';
import type { ItemError, ItemState, MapProgress } from './state.ts';
import { unitKey } from './unit.ts';

const KEPT_ERRORS = 20;

/** Starts the step of the iterator whose turn it is. The item holds a place in the map already. */
export function startItem(draft: Draft, name: string, index: number): void {
  const { stage, attempt, tries } = draft.item(name, index);
  const iterator = iteratorOf(draft, name, stage);
  if (iterator === null) return;
  const unit = unitKey({ type: 'item', step: name, index });
  const started = draft.patchItem(name, index, { status: 'running', attempt: attempt + 1, tries: tries + 1 });
  const params = iterator.params.fill(itemScope(draft, name, index));
  if (params.isErr()) return endItem(draft, name, index, wrongParams(params.error));
  const error = emitStart(draft, { name, index, unit, attempt: started.attempt, iterator }, params.value);
  if (error !== null) return endItem(draft, name, index, error);
  const timeoutMs = timeoutOf(iterator);
  if (timeoutMs === null) return;
  draft.setTimer(unit, started.attempt, 'timeout', timeoutMs);
  draft.patchItem(name, index, { timer: 'timeout' });
}

interface ItemStart {
  readonly name: string;
  readonly index: number;
  readonly unit: string;
  readonly attempt: number;
  readonly iterator: CompiledIterator;
}

function emitStart(draft: Draft, start: ItemStart, params: JsonObject): ErrorInfo | null {
  const { step } = start.iterator;
  if (step.kind === 'workflow')
    return startChild(draft, {
      unit: start.unit,
      attempt: start.attempt,
      workflow: step.workflow,
      params,
      wait: true,
      inheritContext: true,
    });
  draft.emit({
    type: 'start_item',
    id: `start:${start.unit}#${start.attempt}`,
    unit: start.unit,
    step: start.name,
    index: start.index,
    attempt: start.attempt,
    iterator: step.name,
    call: { kind: step.kind, handler: step.handler },
    params,
    timeoutSeconds: step.timeoutSeconds ?? null,
  });
  return null;
}

function timeoutOf({ step }: CompiledIterator): number | null {
  if (step.kind === 'workflow') return childTimeoutMs(step.timeoutSeconds);
  return step.timeoutSeconds === undefined ? null : step.timeoutSeconds * 1_000;
}

/** The output of the item's present stage: the next stage, or the end of the item. */
export function itemSucceeded(draft: Draft, name: string, index: number, output: JsonObject): void {
  const item = draft.item(name, index);
  const iterator = iteratorOf(draft, name, item.stage);
  const outputs = { ...item.outputs, [iterator?.step.name ?? '']: output };
  clearItemTimer(draft, name, index, item);
  const more = iteratorOf(draft, name, item.stage + 1) !== null;
  draft.patchItem(name, index, { outputs, error: null, timer: null });
  if (!more) return endItem(draft, name, index, null);
  draft.patchItem(name, index, { stage: item.stage + 1, tries: 0 });
  goOn(draft, name, index);
}

/** The item goes on as soon as it may. */
export function goOn(draft: Draft, name: string, index: number): void {
  const phase = draft.head.phase.type;
  const progress = draft.step(name).map;
  if (phase !== 'running' || progress?.halted === true) {
    patchProgress(draft, name, (map) => ({ ...map, running: map.running - 1 }));
    draft.patchItem(name, index, { status: 'cancelled', timer: null });
  } else {
    draft.patchItem(name, index, { status: 'held', timer: null });
    patchProgress(draft, name, (map) => ({ ...map, held: [...map.held, index] }));
  }
  draft.pumping.add(name);
}

/** A failed attempt of the present stage: made again after a while where the policy allows it. */
export function itemFailed(draft: Draft, name: string, index: number, error: ErrorInfo): void {
  const item = draft.item(name, index);
  const iterator = iteratorOf(draft, name, item.stage);
  const unit = unitKey({ type: 'item', step: name, index });
  clearItemTimer(draft, name, index, item);
  const policy = retryOf(draft, iterator?.step.retry, errorPolicyOf(draft, draft.graph.step(name)));
  const mayRetry = draft.head.phase.type === 'running' && draft.step(name).map?.halted !== true;
  const delayMs = mayRetry
    ? retryAfterMs(policy, item.tries, error, `${draft.head.runId}/${unit}/${item.attempt}`)
    : null;
  if (delayMs === null) return endItem(draft, name, index, error);
  draft.setTimer(unit, item.attempt, 'retry', delayMs);
  draft.patchItem(name, index, { status: 'retrying', error, timer: 'retry' });
}

/** @param error null when every stage has succeeded. */
export function endItem(draft: Draft, name: string, index: number, error: ErrorInfo | null): void {
  const step = draft.graph.step(name);
  draft.patchItem(name, index, { status: error === null ? 'completed' : 'failed', error, timer: null });
  patchProgress(draft, name, (map) => {
    if (error === null) return { ...map, running: map.running - 1, succeeded: map.succeeded + 1 };
    const failed = map.failed + 1;
    return {
      ...map,
      running: map.running - 1,
      failed,
      halted: map.halted || (step?.kind === 'map' && failed > tolerance(step)),
      errors: withError(map.errors, { index, message: error.message }),
    };
  });
  draft.pumping.add(name);
}

/** The failures of the lowest items, in their order: the same ones in whatever order they have come. */
function withError(errors: readonly ItemError[], error: ItemError): readonly ItemError[] {
  return [...errors, error].sort((a, b) => a.index - b.index).slice(0, KEPT_ERRORS);
}

export function clearItemTimer(draft: Draft, name: string, index: number, item: ItemState): void {
  draft.clearTimer(unitKey({ type: 'item', step: name, index }), item.attempt, item.timer);
}

export function patchProgress(
  draft: Draft,
  name: string,
  patch: (progress: MapProgress) => MapProgress,
): void {
  const { map } = draft.step(name);
  if (map !== null) draft.patchStep(name, { map: patch(map) });
}

export function iteratorOf(draft: Draft, name: string, stage: number): CompiledIterator | null {
  const body = draft.graph.compiled(name)?.body;
  return body?.kind === 'map' ? (body.iterator[stage] ?? null) : null;
}

/** How many items may fail without failing the map. */
export function tolerance(step: MapStep): number {
  return step.toleratedFailures === 'all' ? Number.POSITIVE_INFINITY : (step.toleratedFailures ?? 0);
}
