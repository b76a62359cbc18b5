/** What becomes of one run more of a workflow that may only run so often at a time. */
import { assertNever } from '@spine/core';
import type { ConcurrencyPolicy } from './model.ts';

export type RunAdmission =
  /** It starts; `cancel` names the runs that make room for it, oldest first. */
  | { readonly type: 'start'; readonly cancel: readonly string[] }
  /** It waits for room; without any by `until` it is not started. Null for as long as it takes. */
  | { readonly type: 'queue'; readonly until: Date | null }
  | { readonly type: 'skip'; readonly reason: string };

/**
 * Pure: whoever starts runs holds a lock on the workflow meanwhile, or two of them find the same room.
 *
 * @param active ids of its runs that have begun and not ended, oldest first.
 * @param policy undefined for no limit.
 */
export function admitWorkflowRun(
  policy: ConcurrencyPolicy | undefined,
  active: readonly string[],
  now: Date,
): RunAdmission {
  if (policy === undefined || active.length < policy.maxRuns) return { type: 'start', cancel: [] };
  const onConflict = policy.onConflict ?? 'queue';
  switch (onConflict) {
    case 'queue': {
      const seconds = policy.queueTimeoutSeconds;
      return {
        type: 'queue',
        until: seconds === undefined ? null : new Date(now.getTime() + seconds * 1_000),
      };
    }
    case 'skip':
      return { type: 'skip', reason: `${active.length} of at most ${policy.maxRuns} runs are under way` };
    case 'cancel_existing':
      return { type: 'start', cancel: active.slice(0, active.length - policy.maxRuns + 1) };
    default:
      return assertNever(onConflict);
  }
}
