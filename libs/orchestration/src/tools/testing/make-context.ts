import type { JsonObject } from '@spine/core';
import { WorkflowContext } from '../../engine/context.ts';

/** A context for a function under test: the run's params, and outputs of steps that are to have completed, by name. */
export function makeContext(
  params: JsonObject = {},
  outputs: Readonly<Record<string, JsonObject>> = {},
): WorkflowContext {
  return Object.entries(outputs).reduce(
    (context, [step, output]) => context.withOutput(step, output),
    WorkflowContext.of(params),
  );
}
