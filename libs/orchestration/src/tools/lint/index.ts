export * from './json.ts';
export * from './lint.ts';
export { BUILT_IN_RULES } from './rules.ts';
