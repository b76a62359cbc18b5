/**
 * The states of a run, the legal transitions between them, and the predicates over both.
 *
 * 1. Terminal is absorbing: a retry or a replay is a new run that names the old one.
 * 2. Every transition that takes a run away from its worker (reap, hand-back, pause, cancel) raises the epoch, so that
 *    whatever that worker still writes is refused.
 *
 * The database repeats both as a CHECK constraint and a trigger.
 */
export const RunStatus = {
  /** Accepted; not available before `available_at`. */
  Pending: 'pending',
  /** Waiting for a worker. A retry waits here too, with `available_at` in the future. */
  Queued: 'queued',
  /** Held by one worker under a lease. */
  Running: 'running',
  /** Set aside by an operator: neither hinted nor claimed until it is resumed. */
  Paused: 'paused',
  Completed: 'completed',
  /** Out of attempts or not retryable, and the spec opted out of dead letters. */
  Failed: 'failed',
  Cancelled: 'cancelled',
  /** The last attempt exceeded its time-out, and the spec opted out of dead letters. */
  TimedOut: 'timed_out',
  DeadLettered: 'dead_lettered',
} as const;
export type RunStatus = (typeof RunStatus)[keyof typeof RunStatus];

export type TerminalStatus = 'completed' | 'failed' | 'cancelled' | 'timed_out' | 'dead_lettered';
export type WaitingStatus = 'pending' | 'queued' | 'paused';

export const RUN_STATUSES: readonly RunStatus[] = Object.values(RunStatus);
export const TERMINAL_STATUSES: readonly TerminalStatus[] = [
  'completed',
  'failed',
  'cancelled',
  'timed_out',
  'dead_lettered',
];

const TRANSITIONS: Readonly<Record<RunStatus, readonly RunStatus[]>> = {
  // A due pending run may be claimed without the detour over queued: being due is what queued means.
  // A waiting run times out when its time to live or its deadline is over; the latter may be a dead letter.
  pending: ['queued', 'running', 'paused', 'cancelled', 'timed_out', 'dead_lettered'],
  queued: ['running', 'paused', 'cancelled', 'timed_out', 'dead_lettered'],
  running: ['queued', 'paused', 'completed', 'failed', 'cancelled', 'timed_out', 'dead_lettered'],
  paused: ['pending', 'queued', 'cancelled', 'timed_out', 'dead_lettered'],
  completed: [],
  failed: [],
  cancelled: [],
  timed_out: [],
  dead_lettered: [],
};

/** Whether a run may go from `from` to `to`. */
export function canTransition(from: RunStatus, to: RunStatus): boolean {
  return TRANSITIONS[from].includes(to);
}

export function isRunStatus(value: string): value is RunStatus {
  return Object.hasOwn(TRANSITIONS, value);
}

export function isTerminal(status: RunStatus): status is TerminalStatus {
  return TRANSITIONS[status].length === 0;
}

/** A terminal state that a retry may follow: everything but success. */
export function isRetryable(status: RunStatus): boolean {
  return isTerminal(status) && status !== RunStatus.Completed;
}
