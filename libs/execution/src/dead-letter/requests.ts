/** What the manager of dead letters is asked for, and what it answers for many. */
import type { RunKind } from '@spine/core';
import type { DeadLetter, DeadLetterFilter, DeadLetterOrder } from '@spine/database';

/** Letters one bulk call handles, at the most. */
export const BULK_LIMIT = 1_000;

/** A filter for what is still pending: bulk calls touch nothing else. */
export type PendingFilter = Omit<DeadLetterFilter, 'resolved'>;

/** Failed work that the engine did not settle. */
export interface FailedWork {
  /** The run that failed; left out for work without one. */
  readonly runId?: string;
  readonly kind: RunKind;
  /** Handler name without its kind. */
  readonly name: string;
  /** A JSON object. Default `{}`. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Whatever was thrown. */
  readonly error: unknown;
  /** Default `default`. */
  readonly lane?: string;
  /** Attempts made. Default 1. */
  readonly attempts?: number;
  /** Attempts whose process died. Default 0. */
  readonly crashCount?: number;
  readonly correlationId?: string;
}

export interface BulkOptions {
  /** Who does it. */
  readonly by: string;
  readonly note?: string | null;
  /** True: nothing is changed, the items say what would be. Default false. */
  readonly dryRun?: boolean;
  /** Letters handled, 1 to {@link BULK_LIMIT}. Default {@link BULK_LIMIT}. */
  readonly limit?: number;
  /** Which come first, when there are more than the limit, and in which order they are run. Default the oldest. */
  readonly order?: DeadLetterOrder;
}

export type BulkReplayItem =
  | { readonly type: 'replayed'; readonly deadLetter: DeadLetter; readonly runId: string }
  | { readonly type: 'would_replay'; readonly deadLetter: DeadLetter }
  /** Its params were large, and are gone from where they were kept; it is still pending. */
  | { readonly type: 'params_gone'; readonly deadLetter: DeadLetter }
  /** Somebody else closed it meanwhile. */
  | { readonly type: 'already_resolved'; readonly deadLetter: DeadLetter };

export type BulkResolveItem =
  | { readonly type: 'resolved'; readonly deadLetter: DeadLetter }
  | { readonly type: 'would_resolve'; readonly deadLetter: DeadLetter }
  | { readonly type: 'already_resolved'; readonly deadLetter: DeadLetter };

/** What became of the letters that a filter found, in their order. */
export interface BulkResult<I> {
  /** Pending letters that matched before, counted up to 10,000; more than `items` when the limit was reached. */
  readonly matched: number;
  readonly matchedIsCapped: boolean;
  readonly items: readonly I[];
}
