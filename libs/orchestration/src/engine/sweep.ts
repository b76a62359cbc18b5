/** Ends what has begun when a run stops. It looks at every step: once for each way to stop, which a run goes at most once. */
import type { Draft, Sweep } from './draft.ts';
import { withdrawApproval } from './approval.ts';
import { clearItemTimer, endItem, iteratorOf, patchProgress } from './map-item.ts';
import { plannedError } from './failure.ts';
import { sweepChild, sweepChildItem } from './give-up.ts';
import { settleStep } from './settle.ts';
import { unitKey } from './unit.ts';

/**
 * `drain`: what waits is given up, what is running ends by itself. `cancel`: all of it is given up now; sub-workflows undo
 * what they have done. `abandon`: they stop undoing.
 */
export function sweep(draft: Draft, how: Sweep): void {
  draft.patchHead({
    slotQueue: { first: null, last: null },
    freeQueue: { first: null, last: null },
  });
  for (const name of draft.graph.names()) sweepStep(draft, name, how);
}

function sweepStep(draft: Draft, name: string, how: Sweep): void {
  const { status, tries, error, attempt } = draft.step(name);
  const failed = error ?? plannedError('Stopped', `step ${name}: stopped between two attempts`);
  switch (status) {
    case 'ready':
      // Off the queue, which is gone: a first attempt was never made, a further one never will be.
      draft.patchStep(name, { status: 'pending', nextReady: null });
      if (tries > 0) settleStep(draft, name, { status: 'failed', error: failed });
      return;
    case 'retrying':
      return settleStep(draft, name, { status: 'failed', error: failed });
    case 'awaiting_approval':
      withdrawApproval(draft, name);
      return settleStep(draft, name, { status: 'cancelled' });
    case 'waiting':
      return settleStep(draft, name, { status: 'cancelled' });
    case 'running': {
      const kind = draft.graph.step(name)?.kind;
      if (kind === 'map') return sweepMap(draft, name, how);
      if (how === 'drain') return;
      if (kind === 'workflow') return sweepChild(draft, name, how);
      draft.emit({ type: 'cancel_step', id: `cancel:${name}#${attempt}`, unit: name, attempt });
      return settleStep(draft, name, { status: 'cancelled' });
    }
    case 'pending':
    case 'completed':
    case 'failed':
    case 'skipped':
    case 'not_taken':
    case 'cancelled':
      return;
  }
}

function sweepMap(draft: Draft, name: string, how: Sweep): void {
  const begun = draft.step(name).map?.next ?? 0;
  patchProgress(draft, name, (map) => ({ ...map, halted: true, held: [] }));
  for (let index = 0; index < begun; index += 1) sweepItem(draft, name, index, how);
  draft.pumping.add(name);
  if (how === 'drain') return;
  // Its items that are sub-workflows are being undone: it ends with the last of them.
  if ((draft.step(name).map?.running ?? 0) > 0) draft.patchStep(name, { givenUp: 'cancelled' });
  else settleStep(draft, name, { status: 'cancelled' });
}

function sweepItem(draft: Draft, name: string, index: number, how: Sweep): void {
  const item = draft.item(name, index);
  const unit = unitKey({ type: 'item', step: name, index });
  if (item.status === 'retrying') {
    clearItemTimer(draft, name, index, item);
    const stopped = plannedError('Stopped', `item ${index}: stopped between two attempts`);
    return endItem(draft, name, index, item.error ?? stopped);
  }
  if (item.status === 'running') {
    if (how === 'drain') return;
    if (iteratorOf(draft, name, item.stage)?.step.kind === 'workflow')
      return sweepChildItem(draft, name, index, how);
    const { attempt } = item;
    draft.emit({ type: 'cancel_step', id: `cancel:${unit}#${attempt}`, unit, attempt });
  } else if (item.status !== 'held') return;
  clearItemTimer(draft, name, index, item);
  draft.patchItem(name, index, { status: 'cancelled', timer: null });
  patchProgress(draft, name, (map) => ({ ...map, running: map.running - 1 }));
}
