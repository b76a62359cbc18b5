export * from './playground.ts';
export type { PlaygroundOptions } from './execute.ts';
export type { PlaygroundPeek, PlaygroundSnapshot, SettledStep, Waiting } from './snapshot.ts';
