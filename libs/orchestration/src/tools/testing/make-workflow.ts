import { workflow } from '../builder/builder.ts';
import type { ManagedWorkflow } from '../builder/managed.ts';
import type { PlainFunction } from '../run/handlers.ts';

/** A workflow of plain functions one after the other: `step_1`, `step_2` and so on. */
export function makeWorkflow(...functions: readonly PlainFunction[]): ManagedWorkflow {
  return functions
    .reduce((flow, fn, at) => flow.step(`step_${at + 1}`, fn), workflow('test.workflow'))
    .build();
}
