export * from './builder.ts';
export * from './managed.ts';
export { lambda, operation } from './step-options.ts';
export type { StepOptions } from './step-options.ts';
