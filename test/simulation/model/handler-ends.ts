/** What comes of an attempt whose handler has ended, by the engine's own policy. */
import { assertNever, ErrorCategory } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { Settlement } from '@spine/database';
import { decideSettlement } from '@spine/execution';
import type { AttemptEnd } from '@spine/execution';
import type { HandlerEnd } from './actions.ts';
import type { Attempt } from './world.ts';

export function decide({ attempt, epoch, spec }: Attempt, how: HandlerEnd): Settlement {
  return decideSettlement({ ...spec, attempt, epoch }, endOf(how), 0);
}

function endOf(how: HandlerEnd): AttemptEnd {
  switch (how) {
    case 'returns':
      return { type: 'returned', result: null };
    case 'fails':
      return { type: 'threw', error: errorOf(true) };
    case 'fails_for_good':
      return { type: 'threw', error: errorOf(false) };
    case 'times_out':
      return { type: 'timed_out', error: errorOf(true) };
    case 'defers':
      return { type: 'deferred', delayMs: DEFER_MS, reason: 'not yet' };
    default:
      return assertNever(how);
  }
}

/** How long handlers put themselves off. */
const DEFER_MS = 5_000;

const errorOf = (retryable: boolean): ErrorInfo => ({
  message: 'it broke',
  type: 'Error',
  category: ErrorCategory.UNKNOWN,
  retryable,
  retryAfterSeconds: null,
});
