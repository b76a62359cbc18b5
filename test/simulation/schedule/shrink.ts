/** From a failing schedule to a short one: steps are taken out, many at once and then one by one, while it still fails. */
import type { Action } from '../model/actions.ts';
import type { Invariant } from '../model/invariants.ts';
import { replay } from './simulate.ts';
import type { Replay } from './simulate.ts';

/** Schedules that break `invariant` and break it no more without any one of their steps. */
export function shrink(failing: Replay, invariant: Invariant): readonly Action[] {
  const fails = (schedule: readonly Action[]): boolean =>
    replay({ ...failing, schedule }).violation?.invariant === invariant;
  let short = failing.schedule;
  for (let size = Math.ceil(short.length / 2); size > 1; size = Math.ceil(size / 2)) {
    short = withoutPieces(short, size, fails);
  }
  // A step may only go after another went: until none can.
  for (let before = Infinity; short.length < before;) {
    before = short.length;
    short = merged(withoutPieces(short, 1, fails));
  }
  return short;
}

/** Waits that follow one another are one wait. */
function merged(schedule: readonly Action[]): readonly Action[] {
  const steps: Action[] = [];
  for (const action of schedule) {
    const last = steps.at(-1);
    if (action.type !== 'advance' || last?.type !== 'advance') steps.push(action);
    else steps[steps.length - 1] = { type: 'advance', ms: last.ms + action.ms };
  }
  return steps;
}

/** Without each piece of `size` steps that is not needed, the last first. */
function withoutPieces(
  schedule: readonly Action[],
  size: number,
  fails: (schedule: readonly Action[]) => boolean,
): readonly Action[] {
  let short = schedule;
  for (let at = Math.floor((short.length - 1) / size) * size; at >= 0; at -= size) {
    const shorter = short.toSpliced(at, size);
    if (fails(shorter)) short = shorter;
  }
  return short;
}
