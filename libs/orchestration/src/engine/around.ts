/** Which records a plan is likely to read, so that a driver gets by with one query. */
import type { WorkflowDefinition } from '../workflow/model.ts';
import type { WorkflowEvent } from './event.ts';
import { RunGraph } from './run-graph.ts';
import type { RunHead } from './state.ts';
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
