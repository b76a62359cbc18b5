export * from './analytics.ts';
export * from './catalog.ts';
