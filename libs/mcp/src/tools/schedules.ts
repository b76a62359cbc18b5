/** Tools of schedules: what runs by itself, and when. */
import { z } from 'zod';
import { list, one } from '../answer/answer.ts';
import { PART } from '../answer/part.ts';
import { CURSOR_PAGE, id, OFFSET_PAGE, SINCE, UNTIL } from '../fields.ts';
import { defineTool } from '../tool.ts';
import type { Tool } from '../tool.ts';

const SCHEDULE = { schedule_id: id('The schedule’s id; schedule_list has it.') };

export const SCHEDULE_READS: readonly Tool[] = [
  defineTool({
    name: 'schedule_list',
    title: 'List schedules',
    description: 'What runs by itself: expression, zone, when last, when next, whether it is paused.',
    effect: 'reads',
    input: z.strictObject({
      state: z.enum(['active', 'paused', 'completed']).exactOptional(),
      target_name: z.string().max(200).exactOptional().describe('That runs this handler or workflow.'),
      ...OFFSET_PAGE,
    }),
    run: async (query, { client, call }) => list(await client.schedules.list(query, call).first()),
  }),
  defineTool({
    name: 'schedule_get',
    title: 'Get a schedule',
    description: 'One schedule with its policies and the work it asks for.',
    effect: 'reads',
    input: z.strictObject({ ...SCHEDULE, ...PART }),
    run: async ({ schedule_id, ...part }, { client, call }) =>
      one(await client.schedules.get(schedule_id, call), part),
  }),
  defineTool({
    name: 'schedule_runs',
    title: 'Times of a schedule',
    description: 'Which of its times a schedule has fired, skipped or missed, and the runs it made.',
    effect: 'reads',
    input: z.strictObject({
      ...SCHEDULE,
      status: z.enum(['FIRED', 'SKIPPED', 'MISSED']).exactOptional(),
      since: SINCE,
      until: UNTIL,
      ...CURSOR_PAGE,
    }),
    run: async ({ schedule_id, ...query }, { client, call }) =>
      list(await client.schedules.runs(schedule_id, query, call).first()),
  }),
  defineTool({
    name: 'schedule_preview',
    title: 'Preview a schedule',
    description: 'The next times of a cron expression or interval in a time zone. Nothing is stored.',
    effect: 'reads',
    input: z.strictObject({
      schedule_type: z.enum(['cron', 'interval']),
      cron_expression: z
        .string()
        .max(200)
        .exactOptional()
        .describe('Five fields (minute first) or six (second first), or @hourly … @yearly.'),
      interval_seconds: z.int().min(1).exactOptional(),
      timezone: z.string().max(100).exactOptional().describe('IANA name. Default UTC.'),
      after: z.string().max(40).exactOptional().describe('Default now (RFC 3339).'),
      count: z.int().min(1).max(50).exactOptional(),
    }),
    run: async (body, { client, call }) => one(await client.schedules.preview(body, call)),
  }),
];

export const SCHEDULE_WRITES: readonly Tool[] = [
  defineTool({
    name: 'schedule_trigger',
    title: 'Run a schedule now',
    description: 'Makes a run of a schedule now, beside its times.',
    effect: 'adds',
    input: z.strictObject(SCHEDULE),
    run: async ({ schedule_id }, { client, call }) => one(await client.schedules.trigger(schedule_id, call)),
  }),
  defineTool({
    name: 'schedule_pause',
    title: 'Pause a schedule',
    description: 'Stops a schedule from firing until schedule_resume. Runs under way go on.',
    effect: 'changes',
    input: z.strictObject(SCHEDULE),
    run: async ({ schedule_id }, { client, call }) => one(await client.schedules.pause(schedule_id, call)),
  }),
  defineTool({
    name: 'schedule_resume',
    title: 'Resume a schedule',
    description: 'Lets a paused schedule fire again.',
    effect: 'changes',
    input: z.strictObject(SCHEDULE),
    run: async ({ schedule_id }, { client, call }) => one(await client.schedules.resume(schedule_id, call)),
  }),
];
