/** Steps that come in between: edges are moved, so that each counter stays true. */
import type { Edge } from '../workflow/graph.ts';
import type { Step } from '../workflow/model.ts';
import { leadsOn } from './choice.ts';
import type { Draft } from './draft.ts';
import { enqueue, unqueue } from './queue.ts';

/** `step` takes the place of `before`, which then waits for it alone. Looks through all edges, not through all records. */
export function insertBefore(draft: Draft, before: string, step: Step): string | null {
  const outgoing: Record<string, readonly Edge[]> = {};
  for (const name of draft.graph.names()) {
    const edges = draft.graph.outgoing(name);
    if (!edges.some((edge) => edge.to === before)) continue;
    outgoing[name] = edges.map((edge) =>
      edge.to === before ? { ...edge, to: step.name, chosenAs: edge.chosenAs ?? before } : edge,
    );
  }
  const { status, open, taken } = draft.step(before);
  if (status === 'ready') unqueue(draft, before);
  draft.overlay({
    steps: { [step.name]: step },
    outgoing: { ...outgoing, [step.name]: [{ to: before, kind: 'data' }] },
    incoming: {
      [step.name]: draft.graph.incoming(before),
      [before]: { total: 1, deciding: 1 },
    },
  });
  draft.patchHead({ remaining: draft.head.remaining + 1 });
  draft.patchStep(step.name, { open, taken });
  draft.patchStep(before, { status: 'pending', open: 1, taken: 0 });
  if (status === 'ready') enqueue(draft, step.name);
  return null;
}

/** What waits for `after` and has not begun waits for `step`, which waits for `after`. */
export function insertAfter(draft: Draft, after: string, step: Step): string | null {
  if (!draft.graph.has(after)) return `there is no step ${after}`;
  if (draft.graph.step(after)?.kind === 'choice')
    return `step ${after} is a choice; insert before the steps it chooses from`;
  const { status } = draft.step(after);
  if (status === 'not_taken' || status === 'cancelled') return `step ${after} is ${status}`;
  const done = status === 'completed' || status === 'failed' || status === 'skipped';
  const moved: Edge[] = [];
  const kept: Edge[] = [];
  for (const edge of draft.graph.outgoing(after)) {
    const waits = done ? reopen(draft, after, edge) : isWaiting(draft, edge.to);
    (waits ? moved : kept).push(edge);
  }
  draft.overlay({
    steps: { [step.name]: step },
    outgoing: { [after]: [...kept, { to: step.name, kind: 'data' }], [step.name]: moved },
    incoming: { [step.name]: { total: 1, deciding: 1 } },
  });
  draft.patchHead({ remaining: draft.head.remaining + 1 });
  draft.patchStep(step.name, done ? { open: 0, taken: 1 } : { open: 1, taken: 0 });
  if (done) enqueue(draft, step.name);
  return null;
}

/** Takes back that `from` has settled, for a step that has not begun; says whether there was one. */
export function reopen(draft: Draft, from: string, edge: Edge): boolean {
  if (!isWaiting(draft, edge.to)) return false;
  const { status, open, taken } = draft.step(edge.to);
  const counted = edge.kind !== 'order' && leadsOn(draft, from, draft.step(from), edge) ? 1 : 0;
  if (status === 'ready') unqueue(draft, edge.to);
  draft.patchStep(edge.to, { status: 'pending', open: open + 1, taken: taken - counted });
  return true;
}

/** A step between two attempts is ready as well, and has begun. */
function isWaiting(draft: Draft, name: string): boolean {
  const { status, tries } = draft.step(name);
  return status === 'pending' || (status === 'ready' && tries === 0);
}
