/** Queries of the statistics endpoints. */
import { z } from 'zod';
import { BUCKET_MINUTES, MAX_BUCKETS, MAX_WINDOW_HOURS } from '@spine/execution';
import { offsetPaging } from '../http/paging.ts';
import { wholeNumber } from '../http/query-values.ts';

/** Of lists of lanes. */
export const LARGE_BACKLOG =
  'With more than 1,000 runs waiting or running, how many they are may be a second old.';

const hours = wholeNumber(1, MAX_WINDOW_HOURS)
  .default(24)
  .describe('Hours back from now, by when runs were submitted. Default 24.');

export const windowQuery = z.strictObject({ hours });
export type WindowQuery = z.infer<typeof windowQuery>;

export const historyQuery = z
  .strictObject({
    hours,
    bucket_minutes: z
      .preprocess(
        (value) => (typeof value === 'string' && /^\d{1,4}$/.test(value) ? Number(value) : value),
        z.literal(BUCKET_MINUTES),
      )
      .default(60)
      .describe('Width of a bucket. Default 60.'),
  })
  .refine((query) => (query.hours * 60) / query.bucket_minutes <= MAX_BUCKETS, {
    path: ['bucket_minutes'],
    message: `must be so wide that there are at most ${MAX_BUCKETS} buckets`,
  });
export type HistoryQuery = z.infer<typeof historyQuery>;

export const pageQuery = z.strictObject(offsetPaging);
export type PageQuery = z.infer<typeof pageQuery>;
