import { z } from 'zod';
import { RUN_LOG_LEVELS } from '@spine/execution';
import { cursorPaging } from '../http/paging.ts';
import { once, wholeNumber } from '../http/query-values.ts';

export const logListQuery = z.strictObject({
  level: once(z.enum(RUN_LOG_LEVELS)).optional().describe('This severe or more.'),
  attempt: wholeNumber(1, 1_000_000).optional().describe('Of this attempt only, from 1.'),
  ...cursorPaging,
});
export type LogListQuery = z.infer<typeof logListQuery>;
