export * from './ascii.ts';
export * from './describe.ts';
export * from './dot.ts';
export * from './mermaid.ts';
export * from './svg.ts';
