/**
 * Ready steps in the order in which they became ready, as a list linked through their records, so that entering and leaving
 * costs the same however many wait.
 */
import type { Step } from '../workflow/model.ts';
import type { Draft } from './draft.ts';
import type { ReadyQueue } from './state.ts';

export type QueueName = 'slotQueue' | 'freeQueue';

/** Work for a worker takes a slot; what waits for time, people or nothing at all does not. */
export function needsSlot(step: Step): boolean {
  switch (step.kind) {
    case 'operation':
    case 'lambda':
    case 'map':
      return true;
    case 'workflow':
      return step.wait ?? true;
    case 'choice':
    case 'wait':
    case 'approval':
      return false;
  }
}

function queueOf(draft: Draft, name: string): QueueName {
  const step = draft.graph.step(name);
  return step !== undefined && needsSlot(step) ? 'slotQueue' : 'freeQueue';
}

export function enqueue(draft: Draft, name: string): void {
  const queue = queueOf(draft, name);
  const { first, last } = draft.head[queue];
  draft.patchStep(name, { status: 'ready', nextReady: null });
  if (last !== null) draft.patchStep(last, { nextReady: name });
  setQueue(draft, queue, { first: first ?? name, last: name });
}

/** Takes the first off the queue; null when it is empty. */
export function dequeue(draft: Draft, queue: QueueName): string | null {
  const { first, last } = draft.head[queue];
  if (first === null) return null;
  const { nextReady } = draft.step(first);
  setQueue(draft, queue, { first: nextReady, last: nextReady === null ? null : last });
  draft.patchStep(first, { nextReady: null });
  return first;
}

/** Takes a step off its queue before its turn; only modifications do, and it costs the length of the queue. */
export function unqueue(draft: Draft, name: string): void {
  const queue = queueOf(draft, name);
  const { first, last } = draft.head[queue];
  const { nextReady } = draft.step(name);
  let before: string | null = null;
  for (let at = first; at !== null && at !== name; at = draft.step(at).nextReady) before = at;
  if (before === null) setQueue(draft, queue, { first: nextReady, last: nextReady === null ? null : last });
  else {
    draft.patchStep(before, { nextReady });
    if (last === name) setQueue(draft, queue, { first, last: before });
  }
  draft.patchStep(name, { nextReady: null });
}

function setQueue(draft: Draft, queue: QueueName, value: ReadyQueue): void {
  draft.patchHead(queue === 'slotQueue' ? { slotQueue: value } : { freeQueue: value });
}
