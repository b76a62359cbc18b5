export * from './catalog.ts';
export { EXAMPLE_LEVELS, EXAMPLES, readExampleSource } from '@spine/examples';
export type { Example, ExampleSource } from '@spine/examples';
