import { SpineError } from '@spine/core';
import type { AbortReason } from './context.ts';

const MESSAGES: Readonly<Record<AbortReason, string>> = {
  timed_out: 'the attempt exceeded its time-out',
  lost: 'the run was taken over: this attempt no longer holds it',
  cancelled: 'the run was cancelled',
  paused: 'the run was paused',
  shutdown: 'the worker is stopping',
};

/** The reason of an aborted handler signal. */
export class AttemptAbortedError extends SpineError {
  readonly reason: AbortReason;

  constructor(reason: AbortReason) {
    super(MESSAGES[reason], { retryable: true });
    this.reason = reason;
  }
}
