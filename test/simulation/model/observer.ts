/** What the all-knowing observer makes of a change: who holds the run now, what was counted, which invariants are broken. */
import type { Cause, Violation } from './invariants.ts';
import { violationsOf } from './invariants.ts';
import type { Change, Row } from './row.ts';
import type { Claimed, Run, World } from './world.ts';

/** Remembers the first violation. */
export function report(world: World, violation: Violation): void {
  world.violation ??= world.ignored.has(violation.invariant) ? null : violation;
}

/** A run of which nothing has happened. */
export function newRun(client: number, row: Row): Run {
  return {
    client,
    row,
    holder: null,
    claims: 0,
    starts: [],
    settledBy: [],
    terminalEvents: 0,
    deadLetters: 0,
  };
}

/** The run after a change, with what the observer knows of it. */
export function runAfter(before: Run, change: Change, cause: Cause): Run {
  return {
    ...before,
    row: change.row,
    holder: holderAfter(before, change, cause),
    claims: before.claims + (cause.type === 'claim' ? 1 : 0),
    settledBy:
      cause.type === 'settle' || cause.type === 'hand_back'
        ? [...before.settledBy, cause.token]
        : before.settledBy,
    terminalEvents: before.terminalEvents + (change.event?.terminal === true ? 1 : 0),
    deadLetters: before.deadLetters + (change.deadLetter ? 1 : 0),
  };
}

function holderAfter(before: Run, change: Change, cause: Cause): Run['holder'] {
  if (cause.type === 'claim') return { token: cause.token, epoch: change.row.epoch };
  return change.row.status === 'running' ? before.holder : null;
}

/** What the holder of a run is told of it; null while nobody has it. */
export function claimedOf(run: Run | null, number: number): Claimed | null {
  if (!run?.holder) return null;
  const { epoch, attempt, spec } = run.row;
  return { run: number, token: run.holder.token, epoch, attempt, spec };
}

/** Reports what the change breaks. */
export function observe(world: World, before: Run, after: Run, cause: Cause, change: Change): void {
  for (const violation of violationsOf(before, after, cause, change.event, world)) report(world, violation);
}
