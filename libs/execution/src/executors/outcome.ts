import { assertNever, ErrorCategory } from '@spine/core';
import type { StoredError } from '@spine/database';
import type { RunSummary } from '../worker/context.ts';
import type { ExecutionOutcome } from './protocol.ts';

const NO_ERROR: StoredError = {
  message: 'the run failed without an error',
  type: 'Error',
  category: ErrorCategory.UNKNOWN,
  retryable: false,
};

/** How a run as it is now has ended. The same for every executor. */
export function outcomeOf(run: RunSummary): ExecutionOutcome {
  switch (run.status) {
    case 'completed':
      return { type: 'completed', run, result: run.result };
    case 'failed':
    case 'timed_out':
    case 'dead_lettered': {
      const error = run.error ?? NO_ERROR;
      // A dead letter does not say by itself whether the last attempt threw or ran out of time.
      return { type: error.category === ErrorCategory.TIMEOUT ? 'timed_out' : 'failed', run, error };
    }
    case 'cancelled':
      return { type: 'cancelled', run, error: run.error };
    case 'pending':
    case 'queued':
    case 'running':
    case 'paused':
      return { type: 'unfinished', run };
    default:
      return assertNever(run.status);
  }
}
