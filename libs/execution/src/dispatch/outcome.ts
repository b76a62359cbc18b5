import type { RunStatus } from '@spine/core';
import type { RunRecord } from '@spine/database';
import type { SpecIssue } from '../spec/new-run.ts';

/** What became of a submission; `R` is what is told of a run that was there already. */
export type SubmitOutcome<R = RunRecord> =
  | {
      readonly type: 'accepted';
      readonly runId: string;
      readonly status: RunStatus;
      readonly createdAt: Date;
      readonly warnings: readonly string[];
    }
  /** The idempotency key belongs to this run, which asked for the same. */
  | { readonly type: 'existing'; readonly run: R }
  /** The idempotency key belongs to a run that asked for something else. */
  | { readonly type: 'conflict'; readonly run: R }
  | { readonly type: 'invalid'; readonly issues: readonly SpecIssue[] }
  /** Nobody knows the handler: not this process, not a live worker. */
  | { readonly type: 'unknown_handler'; readonly handler: string }
  /** The submitting attempt no longer holds its run. */
  | { readonly type: 'fenced' };
