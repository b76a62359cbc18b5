export {
  percentile,
  rollingStatistics,
  type RollingStatistics,
  type StatisticsOptions,
} from './statistics.ts';
export { TrendDirection, trendOf, type Trend, type TrendPoint } from './trend.ts';
export { RollingWindow, type PeriodValue, type RollingResult } from './window.ts';
