/** The queue: jobs that name runs. It may lose, repeat and reorder them, be emptied, and be away. */
import { assertNever } from '@spine/core';
import type { QueueAction } from './actions.ts';
import type { Hint, World } from './world.ts';

/** Adds a hint; false when the queue is away. With fixed ids a job that exists, or is kept, is silently not added. */
export function publish(world: World, run: number, early = false): boolean {
  if (!world.queueUp) return false;
  const exists = placeOfHint(world, run) !== -1 || world.kept.includes(run);
  if (world.guards.jobIds === 'fresh' || !exists) world.hints.push({ run, early });
  return true;
}

function placeOfHint(world: World, run: number): number {
  return world.hints.findIndex((hint) => hint.run === run);
}

/** A hint, or the mark that there is none. */
export function hint(world: World, run: number): void {
  if (!publish(world, run)) world.sent.push({ call: { type: 'unhint', run }, caller: 'gone', answer: null });
}

/** Takes a hint of the run to a worker; its job is kept as finished. Null when there is none. */
export function takeHint(world: World, run: number): Hint | null {
  const hint = world.queueUp ? takeOut(world, run) : null;
  if (hint !== null && world.guards.jobIds === 'fixed') world.kept.push(run);
  return hint;
}

function takeOut(world: World, run: number): Hint | null {
  const place = placeOfHint(world, run);
  if (place === -1) return null;
  return world.hints.splice(place, 1)[0] ?? null;
}

export function applyQueue(world: World, action: QueueAction): boolean {
  switch (action.type) {
    case 'lose_hint':
      return takeOut(world, action.run) !== null;
    case 'duplicate_hint': {
      const hint = world.hints[placeOfHint(world, action.run)];
      if (hint === undefined) return false;
      world.hints.push(hint);
      return true;
    }
    case 'flush':
      world.hints = [];
      world.kept = [];
      return true;
    case 'queue_down':
    case 'queue_up': {
      const up = action.type === 'queue_up';
      if (world.queueUp === up) return false;
      world.queueUp = up;
      return true;
    }
    default:
      return assertNever(action);
  }
}
