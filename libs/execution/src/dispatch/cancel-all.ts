/**
 * Cancelling many runs.
 *
 * 1. Each run is cancelled by the same statement as one alone, with all it has started: what ended meanwhile stays as it
 * is. 2. In chunks, so that no transaction holds many rows for long. The same call made again goes on where this one ended.
 */
import { assertNever, ValidationError } from '@spine/core';
import type { RunStatus, TerminalStatus } from '@spine/core';
import { ACTIVE_STATUSES, cancelRuns, findActive } from '@spine/database';
import type { ActiveStatus, CancelOutcome, Db, RunFilter } from '@spine/database';

/** Runs one call cancels, at the most, not counting what they have started. */
export const CANCEL_LIMIT = 1_000;

const CHUNK = 200;

export interface CancelAllOptions {
  /** Kept in the history of every run. */
  readonly reason: string | null;
  /** Who asked. Default `api`. */
  readonly source?: string;
  /** True: nothing is changed, the items say what would be. Default false. */
  readonly dryRun?: boolean;
  /** Runs handled, 1 to {@link CANCEL_LIMIT}. Default {@link CANCEL_LIMIT}. */
  readonly limit?: number;
}

export type CancelAllItem =
  /** `descendants`: runs it had started that were cancelled with it. */
  | {
      readonly type: 'cancelled';
      readonly runId: string;
      readonly from: RunStatus;
      readonly descendants: number;
    }
  | { readonly type: 'would_cancel'; readonly runId: string }
  /** It ended before the cancel, perhaps as a descendant of another one of this call. */
  | { readonly type: 'ended'; readonly runId: string; readonly status: RunStatus }
  /** It was deleted before the cancel. */
  | { readonly type: 'gone'; readonly runId: string };

export interface CancelAllResult {
  /** Runs that matched before, counted up to 10,000; more than `items` when the limit was reached. */
  readonly matched: number;
  readonly matchedIsCapped: boolean;
  readonly items: readonly CancelAllItem[];
}

function toItem(runId: string, outcome: CancelOutcome): CancelAllItem {
  switch (outcome.type) {
    case 'cancelled':
      return { ...outcome, runId };
    case 'terminal':
      return { type: 'ended', runId, status: outcome.status };
    case 'not_found':
      return { type: 'gone', runId };
    default:
      return assertNever(outcome);
  }
}

function isActive(status: RunStatus): status is ActiveStatus {
  return ACTIVE_STATUSES.some((active) => active === status);
}

function activeStatuses(statuses: readonly RunStatus[] | undefined): readonly ActiveStatus[] {
  if (statuses === undefined) return ACTIVE_STATUSES;
  const unfit = statuses.find((status): status is TerminalStatus => !isActive(status));
  if (unfit === undefined) return statuses.filter(isActive);
  const message = `given ${unfit}; allowed: ${ACTIVE_STATUSES.join(', ')}`;
  throw new ValidationError(`status: ${message}`, {
    issues: [{ field: 'status', code: 'not_cancellable', message }],
  });
}

/**
 * Cancels runs that match and have not ended. `filter.status` says in which states (default all that are not terminal).
 * When it throws, whole chunks may have been cancelled.
 *
 * @throws ValidationError for a terminal status.
 */
export async function cancelAll(
  db: Db,
  filter: RunFilter,
  options: CancelAllOptions,
): Promise<CancelAllResult> {
  const { status, ...rest } = filter;
  const limit = Math.min(Math.max(1, options.limit ?? CANCEL_LIMIT), CANCEL_LIMIT);
  const { runIds, total, totalIsCapped } = await findActive(db, rest, activeStatuses(status), limit);
  const found = { matched: total, matchedIsCapped: totalIsCapped };
  if (options.dryRun === true) {
    return { ...found, items: runIds.map((runId) => ({ type: 'would_cancel', runId })) };
  }
  const items: CancelAllItem[] = [];
  for (let from = 0; from < runIds.length; from += CHUNK) {
    const chunk = runIds.slice(from, from + CHUNK);
    const outcomes = await cancelRuns(db, chunk, options.reason, options.source ?? 'api');
    for (const runId of chunk) items.push(toItem(runId, outcomes.get(runId) ?? { type: 'not_found' }));
  }
  return { ...found, items };
}
