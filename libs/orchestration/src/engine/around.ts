/** Which records a plan is likely to read, so that a driver gets by with one query. */
import type { WorkflowDefinition } from '../workflow/model.ts';
import type { WorkflowEvent } from './event.ts';
import { RunGraph } from './run-graph.ts';
import type { RunHead, StepState } from './state.ts';
import { parseTimer, parseUnit, unitKey } from './unit.ts';
import type { Unit } from './unit.ts';

export interface RecordKeys {
  readonly steps: readonly string[];
  readonly items: readonly string[];
}

/** The unit of the event, what depends on it, and the heads of the queues. */
export function recordsAround(
  definition: WorkflowDefinition,
  head: RunHead,
  event: WorkflowEvent,
): RecordKeys {
  const graph = new RunGraph(definition, head.overlay);
  const unit = unitOf(event);
  const steps = new Set<string>();
  const items = new Set<string>();
  if (unit !== null && unit.type !== 'on_failure') steps.add(unit.step);
  if (unit?.type === 'item') {
    items.add(unitKey(unit));
  } else if (unit?.type === 'step') for (const edge of graph.outgoing(unit.step)) steps.add(edge.to);
  for (const queue of [head.slotQueue, head.freeQueue])
    for (const name of [queue.first, queue.last]) if (name !== null) steps.add(name);
  if (event.type === 'started') for (const name of graph.roots) steps.add(name);
  return { steps: [...steps], items: [...items] };
}

/**
 * The items that maps are likely to start when these events are told: as many as have been answered, from where each map is.
 *
 * @param step what was read of a step.
 */
export function itemsAhead(
  events: readonly WorkflowEvent[],
  step: (name: string) => StepState | null | undefined,
): string[] {
  const answered = new Map<string, number>();
  for (const event of events) {
    const unit = unitOf(event);
    if (unit?.type === 'item') answered.set(unit.step, (answered.get(unit.step) ?? 0) + 1);
  }
  return [...answered].flatMap(([name, count]) => {
    const map = step(name)?.map;
    if (map === null || map === undefined) return [];
    const room = Math.max(0, Math.min(count, map.count - map.next));
    return Array.from({ length: room }, (_, index) =>
      unitKey({ type: 'item', step: name, index: map.next + index }),
    );
  });
}

function unitOf(event: WorkflowEvent): Unit | null {
  switch (event.type) {
    case 'step_settled':
    case 'child_settled':
      return parseUnit(event.unit);
    case 'map_item_settled':
      return { type: 'item', step: event.step, index: event.index };
    case 'approval_decided':
      return { type: 'step', step: event.step };
    case 'timer_fired':
      return parseTimer(event.timer)?.unit ?? null;
    case 'started':
    case 'signal':
    case 'cancel':
    case 'pause':
    case 'resume':
    case 'modified':
      return null;
  }
}
