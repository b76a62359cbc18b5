export * from './workflow/model.ts';
export * from './workflow/modification.ts';
export * from './workflow/quality-metrics.ts';
export * from './workflow/step-result.ts';
