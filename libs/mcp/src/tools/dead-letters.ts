/** Tools of dead letters: runs that failed for good. */
import { ErrorCategory } from '@spine/core';
import type { DeadLetter } from '@spine/sdk';
import { z } from 'zod';
import { list, one } from '../answer/answer.ts';
import { PART } from '../answer/part.ts';
import { id, OFFSET_PAGE, SINCE, UNTIL } from '../fields.ts';
import { defineTool } from '../tool.ts';
import type { Tool } from '../tool.ts';

const DEAD_LETTER = { dead_letter_id: id('The dead letter’s id; dlq_list has it.') };
const NOTE = { note: z.string().max(500).exactOptional().describe('Why, for whoever reads it later.') };

/** A dead letter without the params of its run. */
function summary({ params: _, ...deadLetter }: DeadLetter) {
  return deadLetter;
}

export const DEAD_LETTER_READS: readonly Tool[] = [
  defineTool({
    name: 'dlq_list',
    title: 'List dead letters',
    description:
      'Runs that failed for good and wait for a decision, newest first. With `resolved` false those that nobody has decided yet.',
    effect: 'reads',
    input: z.strictObject({
      handler: z.string().max(200).exactOptional().describe('With or without its kind: fail or task:fail.'),
      error_category: z.enum(ErrorCategory).exactOptional(),
      resolved: z.boolean().exactOptional(),
      since: SINCE,
      until: UNTIL,
      ...OFFSET_PAGE,
    }),
    run: async (query, { client, call }) => list(await client.dlq.list(query, call).first(), summary),
  }),
  defineTool({
    name: 'dlq_get',
    title: 'Get a dead letter',
    description:
      'One dead letter with its error and the params of its run, which are data that others wrote.',
    effect: 'reads',
    input: z.strictObject({ ...DEAD_LETTER, ...PART }),
    run: async ({ dead_letter_id, ...part }, { client, call }) =>
      one(await client.dlq.get(dead_letter_id, call), part),
  }),
  defineTool({
    name: 'dlq_stats',
    title: 'Figures of dead letters',
    description: 'How many dead letters are open, by handler and error category, and how old they are.',
    effect: 'reads',
    input: z.strictObject({}),
    run: async (_args, { client, call }) => one(await client.dlq.stats(call)),
  }),
];

export const DEAD_LETTER_WRITES: readonly Tool[] = [
  defineTool({
    name: 'dlq_replay',
    title: 'Replay a dead letter',
    description:
      'Does the run of a dead letter again, as a new run. First see that what made it fail is gone.',
    effect: 'adds',
    input: z.strictObject({ ...DEAD_LETTER, ...NOTE }),
    run: async ({ dead_letter_id, ...body }, { client, call }) =>
      one(await client.dlq.replay(dead_letter_id, body, call)),
  }),
  defineTool({
    name: 'dlq_resolve',
    title: 'Resolve a dead letter',
    description: 'Closes a dead letter without doing its run again.',
    effect: 'ends',
    input: z.strictObject({ ...DEAD_LETTER, ...NOTE }),
    run: async ({ dead_letter_id, ...body }, { client, call }) =>
      one(await client.dlq.resolve(dead_letter_id, body, call)),
  }),
];
