export * from './compose.ts';
export type { Part } from './fragment.ts';
