/** What happens to a run. Events are recorded; the same events in the same order give the same state. */
import type { ErrorInfo, JsonObject } from '@spine/core';
import type { Modification } from '../workflow/modification.ts';
import type { StepResult } from '../workflow/step-result.ts';
import type { Overlay } from './state.ts';

/** Where a run begins that begins in the middle of another. */
export interface ForkedFrom {
  /** The other run. */
  readonly runId: string;
  /** The first step that runs again. */
  readonly from: string;
  /** Steps that are taken over. Their records are in the state before the event is planned. */
  readonly kept: readonly string[];
  readonly signals: Readonly<Record<string, JsonObject>>;
  readonly overlay: Overlay | null;
}

export type WorkflowEvent =
  | {
      readonly type: 'started';
      readonly runId: string;
      readonly params: JsonObject;
      /** e.g. `dev` or `production`; default `production`. */
      readonly environment?: string;
      readonly context?: JsonObject;
      readonly previous?: JsonObject;
      readonly ancestors?: readonly string[];
      readonly fork?: ForkedFrom;
    }
  /** Of a step, a compensation or the failure handler; `unit` and `attempt` as in the command that started it. */
  | {
      readonly type: 'step_settled';
      readonly unit: string;
      readonly attempt: number;
      readonly result: StepResult;
    }
  | {
      readonly type: 'map_item_settled';
      readonly step: string;
      readonly index: number;
      readonly attempt: number;
      readonly result: StepResult;
    }
  /** Of a sub-workflow that is waited for; `unit` may be an item of a map. */
  | {
      readonly type: 'child_settled';
      readonly unit: string;
      readonly attempt: number;
      readonly status: 'completed' | 'failed' | 'timed_out' | 'cancelled';
      readonly outputs: JsonObject;
      readonly error: ErrorInfo | null;
    }
  | { readonly type: 'timer_fired'; readonly timer: string }
  | {
      readonly type: 'approval_decided';
      readonly step: string;
      readonly approved: boolean;
      readonly by: string;
      /** The key that has said so, `key:<id>`; absent where none was asked for. */
      readonly via?: string;
      readonly comment?: string;
    }
  | { readonly type: 'signal'; readonly name: string; readonly data: JsonObject }
  /** The second one while a run is being undone ends the undoing. */
  | {
      readonly type: 'cancel';
      readonly by: string;
      readonly reason?: string;
      /** By the run that has started this one: what is being undone already goes on. */
      readonly givenUp?: true;
    }
  | { readonly type: 'pause' }
  | { readonly type: 'resume' }
  | {
      readonly type: 'modified';
      readonly modification: Modification;
      /** Who asked for it, for the history. */
      readonly by?: string;
      readonly reason?: string;
    };

/** What people and programs outside tell a run. It is recorded also where it has counted for nothing. */
const FROM_OUTSIDE: ReadonlySet<WorkflowEvent['type']> = new Set([
  'approval_decided',
  'signal',
  'cancel',
  'pause',
  'resume',
  'modified',
] as const);

export function isFromOutside({ type }: WorkflowEvent): boolean {
  return FROM_OUTSIDE.has(type);
}

/** An event as the history of a run keeps it. */
export type RecordedEvent = WorkflowEvent & {
  /** Why it has counted for nothing; absent for one that has counted. */
  readonly ignored?: string;
};
