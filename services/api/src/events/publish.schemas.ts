/** The body and answer of POST /events/publish. */
import { z } from 'zod';
import { EVENT_SOURCE, EVENT_TYPE } from '@spine/execution';

/** What types of clients' events begin with: nobody can pass an event of theirs off as one of Spine's. */
export const USER_EVENTS = 'user';

const userType = new RegExp(`^${USER_EVENTS}\\.`);

export const publishBody = z
  .strictObject({
    type: z
      .string()
      .regex(EVENT_TYPE)
      .regex(userType, `must begin with "${USER_EVENTS}."`)
      .describe('Names of a-z 0-9 _ separated by dots, the first one `user`: `user.report_ready`.'),
    data: z.json().default(null).describe('Up to 256 KiB of JSON.'),
    source: z.string().regex(EVENT_SOURCE).default('api').describe('Who says it.'),
  })
  .meta({ id: 'PublishEventRequest' });
export type PublishBody = z.infer<typeof publishBody>;

export const publishedEventJson = z
  .object({
    event_id: z.string(),
    type: z.string(),
    source: z.string(),
    timestamp: z.iso.datetime().describe('By the clock of the process that took it.'),
    data: z.json(),
  })
  .meta({ id: 'PublishedEvent' });
