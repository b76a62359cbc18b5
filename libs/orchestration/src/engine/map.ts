/**
 * A step for every item of a list.
 *
 * 1. The items are kept one by one when the map starts; an advance reads those it is about, and the map's own counters.
 * 2. At most `maxConcurrency` items have begun and are not settled. 3. Past its tolerance a map starts nothing more, and
 * ends when the items under way have.
 */
import { canonicalJson, Err, ErrorCategory, isJsonObject, Ok } from '@spine/core';
import type { JsonValue, Result } from '@spine/core';
import type { CompiledBody, ItemSource } from '../workflow/compile.ts';
import { STEP_DEFAULTS, WORKFLOW_LIMITS } from '../workflow/model.ts';
import type { MapStep } from '../workflow/model.ts';
import type { Draft } from './draft.ts';
import { plannedError, wrongParams } from './failure.ts';
import { isGivenUp } from './give-up.ts';
import { startItem, tolerance } from './map-item.ts';
import { runScope } from './scope.ts';
import { settleStep } from './settle.ts';
import type { MapProgress } from './state.ts';

export function startMap(draft: Draft, name: string, body: Extract<CompiledBody, { kind: 'map' }>): void {
  const items = itemsOf(draft, body.items).flatMap((list) => partitioned(list, body.step.partitionBy));
  if (items.isErr())
    return settleStep(draft, name, { status: 'failed', error: wrongParams(`items: ${items.error}`) });
  const before = draft.step(name).map?.count ?? 0;
  items.value.forEach((item, index) =>
    // A map that runs again goes on counting the attempts of its items: no two starts may share an id.
    draft.newItem(name, index, item, index < before ? draft.item(name, index).attempt : 0),
  );
  draft.patchStep(name, { map: { ...NO_PROGRESS, count: items.value.length } });
  draft.patchHead({ maps: [...draft.head.maps, name] });
  draft.pumping.add(name);
}

const NO_PROGRESS: MapProgress = {
  count: 0,
  next: 0,
  running: 0,
  succeeded: 0,
  failed: 0,
  halted: false,
  held: [],
  errors: [],
};

/** Starts the items that may start, and settles the map when none is left. */
export function pumpMap(draft: Draft, name: string): void {
  const step = draft.graph.step(name);
  if (step?.kind !== 'map') return;
  let progress = draft.step(name).map;
  while (progress !== null && draft.step(name).status === 'running' && mayStart(draft, step, progress)) {
    const [held] = progress.held;
    const index = held ?? progress.next;
    draft.patchStep(name, {
      map:
        held === undefined
          ? { ...progress, next: index + 1, running: progress.running + 1 }
          : { ...progress, held: progress.held.slice(1) },
    });
    startItem(draft, name, index);
    progress = draft.step(name).map;
  }
  if (progress === null || draft.step(name).status !== 'running') return;
  if (progress.running > 0 || (!progress.halted && progress.next < progress.count)) return;
  if (isGivenUp(draft.step(name).givenUp)) {
    draft.patchStep(name, { givenUp: null });
    settleStep(draft, name, { status: 'cancelled' });
  } else finishMap(draft, step, progress);
}

function mayStart(draft: Draft, step: MapStep, progress: MapProgress): boolean {
  if (draft.head.phase.type !== 'running' || draft.head.paused || progress.halted) return false;
  if (progress.held.length > 0) return true;
  const limit = step.maxConcurrency ?? STEP_DEFAULTS.mapConcurrency;
  return progress.next < progress.count && progress.running < limit;
}

function finishMap(draft: Draft, step: MapStep, progress: MapProgress): void {
  const { count, succeeded, failed, errors } = progress;
  if (failed > tolerance(step) || succeeded + failed < count) {
    const [first] = errors;
    const example = first === undefined ? '' : `; item ${first.index}: ${first.message}`;
    return settleStep(draft, step.name, {
      status: 'failed',
      error: plannedError(
        'MapFailed',
        `step ${step.name}: ${failed} of ${count} items failed, ${count - succeeded - failed} were not done${example}`,
        ErrorCategory.OPERATION,
      ),
    });
  }
  const last = step.iterator.at(-1)?.name ?? '';
  const items: JsonValue[] = [];
  for (let index = 0; index < count; index += 1) {
    const { status, outputs } = draft.item(step.name, index);
    items.push(status === 'completed' ? (outputs[last] ?? null) : null);
  }
  settleStep(draft, step.name, {
    status: 'completed',
    output: { items, count, succeeded, failed, errors: errors.map((error) => ({ ...error })) },
  });
}

function itemsOf(draft: Draft, source: ItemSource): Result<readonly JsonValue[], string> {
  const scope = runScope(draft);
  if (source.type === 'expression') return source.expression.list(scope).flatMap(withinLimit);
  return source.template
    .fill(scope)
    .flatMap((value) =>
      Array.isArray(value)
        ? withinLimit(value as readonly JsonValue[])
        : new Err(`${canonicalJson(value).slice(0, 40)} is no list`),
    );
}

function withinLimit(items: readonly JsonValue[]): Result<readonly JsonValue[], string> {
  return items.length <= WORKFLOW_LIMITS.items
    ? new Ok(items)
    : new Err(`there are ${items.length}; at most ${WORKFLOW_LIMITS.items} are allowed`);
}

function partitioned(
  items: readonly JsonValue[],
  field: string | undefined,
): Result<readonly JsonValue[], string> {
  if (field === undefined) return new Ok(items);
  const groups = new Map<string, { readonly key: JsonValue; readonly items: JsonValue[] }>();
  for (const [index, item] of items.entries()) {
    const key = isJsonObject(item) && Object.hasOwn(item, field) ? item[field] : undefined;
    if (key === undefined) return new Err(`item ${index} has no field ${field} to partition by`);
    const group = groups.get(canonicalJson(key));
    if (group === undefined) groups.set(canonicalJson(key), { key, items: [item] });
    else group.items.push(item);
  }
  return new Ok([...groups.values()]);
}
