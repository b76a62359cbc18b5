/** Queries and answers of the endpoints that list the history of a workflow run, and the items of its maps. */
import { z } from 'zod';
import type { ShownHistoryRecord } from '@spine/database';
import { ITEM_STATUSES, WORKFLOW_EVENT_TYPES, workflowEventToJson } from '@spine/orchestration';
import type { ItemView, RecordedEvent } from '@spine/orchestration';
import { cursorPaging, LIMIT } from '../http/paging.ts';
import { wholeNumber } from '../http/query-values.ts';
import { errorJson, instant, object, omitted, toErrorJson } from './inspect-steps.schemas.ts';

export const historyQuery = z.strictObject({ ...cursorPaging });
export type HistoryQuery = z.infer<typeof historyQuery>;

export const historyEventJson = z
  .object({
    event_no: z.int().describe('From 1, without gaps.'),
    timestamp: instant,
    type: z.enum(WORKFLOW_EVENT_TYPES),
    unit: z
      .string()
      .nullable()
      .describe('A step, an item such as `load[3]`, a compensation `load!undo`; null for the run.'),
    attempt: z.int().nullable(),
    data: object,
    ignored: z
      .string()
      .nullable()
      .describe(
        'Why it has counted for nothing, e.g. a change that came too late; null for what has counted.',
      ),
    omitted,
  })
  .meta({ id: 'WorkflowHistoryEvent', description: 'Something a workflow run was told.' });

export function toHistoryEventJson(record: ShownHistoryRecord): z.infer<typeof historyEventJson> {
  const event = workflowEventToJson(record.event as RecordedEvent, record.omitted);
  return {
    event_no: record.no,
    timestamp: record.timestamp.toISOString(),
    ...event,
    omitted: record.omitted,
  };
}

export const itemListQuery = z.strictObject({
  limit: wholeNumber(1, LIMIT.max).default(LIMIT.default),
  offset: wholeNumber(0, 100_000).default(0).describe('The first index. Default 0.'),
});
export type ItemListQuery = z.infer<typeof itemListQuery>;

export const workflowItemJson = z
  .object({
    index: z.int(),
    status: z.enum(ITEM_STATUSES),
    stage: z.int().describe('Which step of the iterator is its turn, from 0.'),
    attempts: z.int(),
    input: z.unknown(),
    outputs: object.describe('By step of the iterator.'),
    omitted,
    error: errorJson.nullable(),
  })
  .meta({ id: 'WorkflowItem' });

export function toItemJson(item: ItemView): z.infer<typeof workflowItemJson> {
  return { ...item, error: toErrorJson(item.error) };
}
