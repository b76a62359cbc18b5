/**
 * What a driver is to do. A command's `id` is the same whenever it is planned again, and no two commands of a run share one:
 * a driver that does each id once may do a plan twice.
 */
import type { ErrorInfo, JsonObject } from '@spine/core';
import type { Call } from '../workflow/model.ts';
import type { RunOutcome } from './state.ts';

/** One piece of work; its settlement carries the same unit and attempt. */
interface Work {
  readonly id: string;
  readonly unit: string;
  readonly attempt: number;
}

interface CallWork extends Work {
  readonly call: Pick<Call, 'kind' | 'handler'>;
  readonly params: JsonObject;
  /** Of the attempt, in seconds; null for none. The planner sets a timer for it as well. */
  readonly timeoutSeconds: number | null;
}

export type Command =
  | (CallWork & { readonly type: 'start_step'; readonly step: string })
  | (CallWork & {
      readonly type: 'start_item';
      readonly step: string;
      readonly index: number;
      readonly iterator: string;
    })
  | (Work & {
      readonly type: 'start_child';
      readonly workflow: string;
      readonly params: JsonObject;
      readonly context: JsonObject;
      readonly ancestors: readonly string[];
      /** Whether `child_settled` is expected. */
      readonly wait: boolean;
    })
  | (CallWork & { readonly type: 'compensate_step'; readonly step: string })
  | (CallWork & { readonly type: 'run_on_failure' })
  /** Whatever the attempt still answers counts for nothing. */
  | (Work & { readonly type: 'cancel_step' })
  /** `begin`: it undoes what it has done, and its end is waited for. `abandon`: it stops undoing, and ends. */
  | (Work & { readonly type: 'cancel_child'; readonly undo: 'begin' | 'abandon' })
  /** Sub-workflows that nobody waits for and that have not ended are to undo what they have done. */
  | { readonly type: 'cancel_detached'; readonly id: string }
  | { readonly type: 'set_timer'; readonly id: string; readonly timer: string; readonly at: Date }
  | { readonly type: 'clear_timer'; readonly id: string; readonly timer: string }
  | (Work & {
      readonly type: 'ask_approval';
      readonly step: string;
      readonly approvers: readonly string[];
      readonly message: string;
      readonly fields: JsonObject;
      readonly expiresAt: Date;
    })
  | (Work & { readonly type: 'withdraw_approval'; readonly step: string })
  | {
      readonly type: 'complete';
      readonly id: string;
      readonly status: RunOutcome['status'];
      /** Of a completed run; of a continued one what the next run gets as `previous`; else empty. */
      readonly outputs: JsonObject;
      readonly step: string | null;
      readonly error: ErrorInfo | null;
      /** Compensations that have failed for good. */
      readonly undoFailures: number;
      /** Params of the run that goes on, where `status` is `continued`. */
      readonly next: JsonObject | null;
    };
