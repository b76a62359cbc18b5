export * from './dry-run.ts';
export * from './estimators.ts';
export { FORECASTS } from './forecast.ts';
export type { Forecast } from './forecast.ts';
export * from './json.ts';
