/** Tools of the deployment itself: health, figures, queues, workers, handlers. */
import { RUN_KINDS } from '@spine/core';
import { isProblem } from '@spine/sdk';
import { z } from 'zod';
import { list, one } from '../answer/answer.ts';
import { PART } from '../answer/part.ts';
import { id, OFFSET_PAGE } from '../fields.ts';
import { defineTool } from '../tool.ts';
import type { Tool } from '../tool.ts';

const HOURS = { hours: z.int().min(1).max(720).exactOptional().describe('Back from now. Default 24.') };

export const OPERATION_TOOLS: readonly Tool[] = [
  defineTool({
    name: 'health',
    title: 'Health',
    description: 'Whether the API works, and each thing it depends on.',
    effect: 'reads',
    input: z.strictObject({}),
    run: async (_args, { client, call }) => {
      try {
        return one(await client.health.get(call));
      } catch (error) {
        // What does not answer is what was asked for.
        if (!isProblem(error, 'UNAVAILABLE')) throw error;
        return one({
          status: 'unavailable',
          detail: error.detail,
          dependencies: error.members['dependencies'] ?? null,
        });
      }
    },
  }),
  defineTool({
    name: 'stats_dashboard',
    title: 'Dashboard',
    description: 'The deployment at a glance: runs by status, queues, workers, failures. Begin here.',
    effect: 'reads',
    input: z.strictObject(PART),
    run: async (part, { client, call }) => one(await client.stats.dashboard(call), part),
  }),
  defineTool({
    name: 'stats_runs',
    title: 'Figures of runs',
    description: 'How many runs there were, by status, and how long they took and waited.',
    effect: 'reads',
    input: z.strictObject(HOURS),
    run: async (query, { client, call }) => one(await client.stats.runs(query, call)),
  }),
  defineTool({
    name: 'stats_history',
    title: 'Runs over time',
    description: 'Runs by status in buckets of time: when something began to fail.',
    effect: 'reads',
    input: z.strictObject({
      ...HOURS,
      bucket_minutes: z
        .union([z.literal(1), z.literal(5), z.literal(15), z.literal(60), z.literal(360), z.literal(1440)])
        .exactOptional()
        .describe('Width of a bucket. Default 60.'),
      ...PART,
    }),
    run: async ({ part, from, ...query }, { client, call }) =>
      one(await client.stats.history(query, call), { part, from }),
  }),
  defineTool({
    name: 'stats_handlers',
    title: 'Figures of handlers',
    description: 'Runs, failures and durations of each handler: which one is slow, which one fails.',
    effect: 'reads',
    input: z.strictObject({ ...HOURS, ...PART }),
    run: async ({ part, from, ...query }, { client, call }) =>
      one(await client.stats.handlers(query, call), { part, from }),
  }),
  defineTool({
    name: 'queue_list',
    title: 'List queues',
    description: 'Each lane: how many runs wait and run, how old the oldest is, whether it is paused.',
    effect: 'reads',
    input: z.strictObject(OFFSET_PAGE),
    run: async (query, { client, call }) => list(await client.queues.list(query, call).first()),
  }),
  defineTool({
    name: 'worker_list',
    title: 'List workers',
    description: 'Workers with their lanes, slots and what they run.',
    effect: 'reads',
    input: z.strictObject(OFFSET_PAGE),
    run: async (query, { client, call }) => list(await client.workers.list(query, call).first()),
  }),
  defineTool({
    name: 'function_list',
    title: 'List functions',
    description: 'What can be run: kind, name and description of every handler. function_get has the params.',
    effect: 'reads',
    input: z.strictObject(OFFSET_PAGE),
    run: async (query, { client, call }) =>
      list(await client.functions.list(query, call).first(), ({ kind, name, description, tags }) => ({
        ...{ kind, name, description, tags },
      })),
  }),
  defineTool({
    name: 'function_get',
    title: 'Get a function',
    description: 'One handler, with the JSON Schema of its params.',
    effect: 'reads',
    input: z.strictObject({ kind: z.enum(RUN_KINDS), name: id('Of the handler.'), ...PART }),
    run: async ({ kind, name, ...part }, { client, call }) =>
      one(await client.functions.get(kind, name, call), part),
  }),
];
