import { z } from 'zod';
import { RUN_KINDS } from '@spine/core';
import { LIMITS } from '@spine/execution';
import type { EventFilter } from '@spine/execution';
import { flag, once, text, wholeNumber } from '../http/query-values.ts';

/** Types one stream can ask for. */
const MAX_TYPES = 50;

const eventTypes = z
  .preprocess(
    (value) => {
      const parts: unknown[] = Array.isArray(value) ? value : [value];
      return [...new Set(parts.flatMap((part) => (typeof part === 'string' ? part.split(',') : [part])))];
    },
    z
      .array(z.string().regex(/^[a-z][a-z0-9_.]{0,63}$/))
      .min(1)
      .max(MAX_TYPES),
  )
  .describe('One or more event types, separated by commas or repeated.');

export const streamQuery = z
  .strictObject({
    run_id: once(z.uuid()).optional().describe('Of this run only, from its first event on.'),
    types: eventTypes.optional(),
    kind: once(z.enum(RUN_KINDS)).optional(),
    name: text(200).optional().describe('Handler name without its kind.'),
    lane: once(z.string().regex(LIMITS.lane)).optional(),
    until_terminal: flag.default(false).describe('Ends with the terminal event of the run; needs run_id.'),
    last_event_id: wholeNumber(0, 999_999_999_999_999)
      .optional()
      .describe('Resumes here, for clients that cannot send the header Last-Event-ID, which wins.'),
  })
  .refine((query) => !query.until_terminal || query.run_id !== undefined, {
    path: ['until_terminal'],
    message: 'until_terminal needs a run_id',
  });
export type StreamQuery = z.infer<typeof streamQuery>;

export function eventFilter({ run_id, types, kind, name, lane }: StreamQuery): EventFilter {
  return {
    ...(run_id === undefined ? {} : { runId: run_id }),
    ...(types === undefined ? {} : { types: new Set(types) }),
    ...(kind === undefined ? {} : { kind }),
    ...(name === undefined ? {} : { name }),
    ...(lane === undefined ? {} : { lane }),
  };
}

export const streamsStatusJson = z
  .object({
    streams: z.int().describe('Clients that follow events from this process.'),
    max_streams: z.int(),
    awake: z.boolean().describe('Whether new events are read: only while somebody follows them.'),
    last_event_id: z.string().describe('The last id given out.'),
    safe_event_id: z
      .string()
      .nullable()
      .describe(
        'Everything up to here was passed on; a client that resumes now resumes here. Null while not awake.',
      ),
    ahead: z.int().describe('Events passed on beyond that, because a transaction before them has not ended.'),
  })
  .meta({ id: 'EventStreamsStatus' });
