/** Why a run has failed, as it is told to whoever waits for the run: the same by every driver. */
import { ErrorCategory } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import type { Command } from './command.ts';

const UNSAID: ErrorInfo = {
  message: 'the workflow failed',
  type: 'WorkflowFailed',
  category: ErrorCategory.ORCHESTRATION,
  retryable: false,
  retryAfterSeconds: null,
};

/** The error of the step that has ended it, with the step's name and what could not be undone. */
export function runError({
  step,
  error,
  undoFailures,
}: Pick<Extract<Command, { type: 'complete' }>, 'step' | 'error' | 'undoFailures'>): ErrorInfo {
  const known = error ?? UNSAID;
  const where = step === null ? '' : `step ${step}: `;
  const undone = undoFailures === 0 ? '' : ` (${undoFailures} compensations failed)`;
  return { ...known, message: `${where}${known.message}${undone}` };
}
