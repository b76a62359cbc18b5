export * from './handlers.ts';
export { runInMemory } from './run.ts';
export type { RunOptions, StepRun, WorkflowRunResult } from './run.ts';
