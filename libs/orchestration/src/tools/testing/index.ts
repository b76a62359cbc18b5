export * from './assertions.ts';
export * from './executors.ts';
export * from './make-context.ts';
export * from './make-workflow.ts';
