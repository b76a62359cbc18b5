/** Changes that a run makes to its own plan. They are recorded events, so that a replay makes them again. */
import type { JsonObject } from '@spine/core';
import type { Step } from './model.ts';

export type Modification =
  /** Of steps that have not begun: they count as done with nothing to do. */
  | { readonly type: 'skip_steps'; readonly steps: readonly string[] }
  /** `step` waits for what `before` waited for, and `before` waits for `step`. */
  | { readonly type: 'insert_step_before'; readonly before: string; readonly step: Step }
  /** What waited for `after` and has not begun waits for `step` instead. */
  | { readonly type: 'insert_step_after'; readonly after: string; readonly step: Step }
  /** Another definition for a step that has not begun; its place in the graph stays. */
  | { readonly type: 'replace_step'; readonly step: Step }
  /** A settled step runs again, with other params if given; what depends on it and has not begun waits. */
  | { readonly type: 'retry_step'; readonly step: string; readonly params?: JsonObject }
  /** Starts another workflow and does not wait for it. `name` is unique within the run. */
  | {
      readonly type: 'spawn_workflow';
      readonly name: string;
      readonly workflow: string;
      readonly params: JsonObject;
    }
  /** Ends this run and goes on in a new one without its history; `keepOutputs` hands the outputs on as `previous`. */
  | { readonly type: 'continue_as_new'; readonly params: JsonObject; readonly keepOutputs: boolean };

export const MODIFICATION_TYPES = [
  'skip_steps',
  'insert_step_before',
  'insert_step_after',
  'replace_step',
  'retry_step',
  'spawn_workflow',
  'continue_as_new',
] as const satisfies readonly Modification['type'][];
