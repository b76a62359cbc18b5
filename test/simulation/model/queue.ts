/** The queue: jobs that name runs. It may lose, repeat and reorder them, be emptied, and be away. */
import { assertNever } from '@spine/core';
import type { QueueAction } from './actions.ts';
import type { World } from './world.ts';

/** Adds a hint; false when the queue is away. With fixed ids a job that exists, or is kept, is silently not added. */
export function publish(world: World, run: number): boolean {
  if (!world.queueUp) return false;
  const exists = world.hints.includes(run) || world.kept.includes(run);
  if (world.guards.jobIds === 'fresh' || !exists) world.hints.push(run);
  return true;
}

/** Takes a hint of the run to a worker; its job is kept as finished. */
export function takeHint(world: World, run: number): boolean {
  const index = world.queueUp ? world.hints.indexOf(run) : -1;
  if (index === -1) return false;
  world.hints.splice(index, 1);
  if (world.guards.jobIds === 'fixed') world.kept.push(run);
  return true;
}

export function applyQueue(world: World, action: QueueAction): boolean {
  switch (action.type) {
    case 'lose_hint': {
      const index = world.hints.indexOf(action.run);
      if (index === -1) return false;
      world.hints.splice(index, 1);
      return true;
    }
    case 'duplicate_hint':
      if (!world.hints.includes(action.run)) return false;
      world.hints.push(action.run);
      return true;
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
