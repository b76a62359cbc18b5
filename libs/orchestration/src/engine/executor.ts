/** Who does the work of a step, for drivers in this process. */
import type { JsonObject } from '@spine/core';
import type { StepResult } from '../workflow/step-result.ts';
import type { Command } from './command.ts';
import type { WorkflowState } from './state.ts';

/** The commands that call a handler. */
export type CallCommand = Extract<
  Command,
  { type: 'start_step' | 'start_item' | 'compensate_step' | 'run_on_failure' }
>;

/** One attempt, as the executor sees it. */
export interface Attempt {
  readonly command: CallCommand;
  readonly runId: string;
  readonly workflow: string;
  /** The run when the attempt began; `WorkflowContext.at` reads it. */
  readonly state: WorkflowState;
  /** Aborted when the attempt is given up. */
  readonly signal: AbortSignal;
  /** Lets virtual time pass. */
  sleep(seconds: number): Promise<void>;
}

export interface StepExecutor {
  /** What it throws is the failure of the attempt. */
  run(handler: string, params: JsonObject, attempt: Attempt): Promise<StepResult> | StepResult;
}
