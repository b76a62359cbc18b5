/**
 * What must hold of every run after every step, whatever happened. The observer's knowledge (who holds a run, which claims
 * started) comes from the order of events, not from the columns that the guards compare.
 */
import { canTransition, isTerminal } from '@spine/core';
import { CRASH_LIMIT } from '@spine/database';
import { hasExpired, isOverdue, isWaiting } from './row.ts';
import type { Row, WrittenEvent } from './row.ts';
import type { Run, Token, World } from './world.ts';

export const INVARIANTS = {
  one_terminal_event: 'a run has at most one terminal event, and it names the state the run is in',
  terminal_is_absorbing: 'a run that is over never changes',
  legal_transition: 'a run goes only from state to state as libs/core/src/run/status.ts allows',
  epoch_never_falls: 'the epoch of a run never falls',
  fence_moves: 'each claim, and each transition that takes a run from its holder, raises the epoch',
  stale_write: 'no write of an attempt that does not hold its run is accepted',
  starts_within_claims: 'a handler starts once a claim at most, and only when its claim has committed',
  lease_known: 'no lease ends in Postgres before its worker thinks so',
  attempts_within_budget: 'a run is attempted as often as it may be at most',
  crash_limit: 'a run that has lost its third lease is over',
  not_startable: 'nothing starts before it is available, after its time is over, or while its lane is paused',
  live_lease_taken: 'the reaper takes a run only when lease or deadline is over by the clock of the database',
  ended_early: 'the expirer ends only runs that wait and whose time is over',
  row_shape: 'a row has the fields of its state and no others, as the CHECK constraint says',
  dead_letter: 'a run has a dead letter exactly when it is dead-lettered',
  honest_answer: 'an attempt that is told its outcome was stored or dropped is told the truth',
  accepted_has_row: 'what a client was told is accepted is stored',
  one_run_per_key: 'an idempotency key has one run',
  unfinished: 'when faults end, every run ends',
} as const;
export type Invariant = keyof typeof INVARIANTS;

export interface Violation {
  readonly invariant: Invariant;
  readonly detail: string;
}

/** Why a row changes. A worker's writes carry the token of their claim. */
export type Cause =
  | { readonly type: 'claim' | 'settle' | 'hand_back' | 'heartbeat' | 'event'; readonly token: Token }
  | { readonly type: 'reap' | 'cancel' | 'pause' | 'resume' | 'relay' | 'expire' | 'unhint' };

/** Every violation by this write; the observer reports the first that it does not pass over. */
export function violationsOf(
  before: Run,
  after: Run,
  cause: Cause,
  event: WrittenEvent | null,
  { now, lanePaused }: Pick<World, 'now' | 'lanePaused'>,
): Violation[] {
  const found: Violation[] = [];
  const say = (invariant: Invariant, detail: string): void => void found.push({ invariant, detail });
  const was = before.row;
  const is = after.row;
  const move = `${cause.type} of a run that is ${was.status} at epoch ${was.epoch}`;

  if (isOfAttempt(cause) && before.holder?.token !== cause.token) {
    say('stale_write', `${move}, by an attempt that has lost it`);
  }
  if (isTerminal(was.status)) say('terminal_is_absorbing', move);
  if (after.terminalEvents > 1)
    say('one_terminal_event', `${move} writes terminal event no. ${after.terminalEvents}`);
  if (event?.terminal === true && event.type !== is.status) {
    say('one_terminal_event', `event ${event.type} of a run that is ${is.status}`);
  }
  if (isTerminal(is.status) !== after.terminalEvents > 0) {
    say('one_terminal_event', `${is.status} with ${after.terminalEvents} terminal events`);
  }
  if ((is.status !== was.status || cause.type === 'claim') && !canTransition(was.status, is.status)) {
    say('legal_transition', `${move} makes it ${is.status}`);
  }
  if (is.epoch < was.epoch) say('epoch_never_falls', `${move} makes it ${is.epoch}`);
  if (losesFence(before, after, cause)) say('fence_moves', `${move} leaves it at ${is.epoch}`);
  if (is.attempt > is.spec.maxAttempts) {
    say('attempts_within_budget', `attempt ${is.attempt} of ${is.spec.maxAttempts}`);
  }
  if (is.crashCount >= CRASH_LIMIT && !isTerminal(is.status)) {
    say('crash_limit', `${is.status} after ${is.crashCount} lost leases`);
  }
  if (cause.type === 'claim' && (was.availableAt > now || hasExpired(was, now) || lanePaused)) {
    say('not_startable', move);
  }
  if (cause.type === 'reap' && was.status === 'running' && !isOverdue(was, now))
    say('live_lease_taken', move);
  if (cause.type === 'expire' && (was.status === 'running' || !hasExpired(was, now)))
    say('ended_early', move);
  if (!hasShape(is)) say('row_shape', `${move} leaves it ${is.status} with the fields of another state`);
  if ((is.status === 'dead_lettered' ? 1 : 0) !== after.deadLetters) {
    say('dead_letter', `${is.status} with ${after.deadLetters} dead letters`);
  }
  return found;
}

function isOfAttempt(cause: Cause): cause is Extract<Cause, { token: Token }> {
  return 'token' in cause && cause.type !== 'claim';
}

function losesFence(before: Run, after: Run, cause: Cause): boolean {
  if (cause.type === 'claim') return after.row.epoch <= before.row.epoch;
  const taken = before.holder !== null && after.holder === null && cause.type !== 'settle';
  return taken && after.row.epoch <= before.holder.epoch;
}

/** The CHECK constraint `runs_state`. */
function hasShape(row: Row): boolean {
  const held = [row.leaseOwner, row.leaseExpiresAt, row.deadlineAt].filter((field) => field !== null).length;
  if (held !== (row.status === 'running' ? 3 : 0)) return false;
  return (row.dispatchAfter !== null) === isWaiting(row.status);
}

/** What must hold between clients and rows. */
export function clientViolations(world: World): Violation[] {
  const found: Violation[] = [];
  for (const { state, run } of world.clients) {
    if (state !== 'accepted' || run === null || (world.runs[run] ?? null) !== null) continue;
    if (world.sent.some(({ call }) => call.type === 'submit' && call.run === run)) continue;
    found.push({ invariant: 'accepted_has_row', detail: `run ${run} was accepted and is not stored` });
  }
  return found;
}
