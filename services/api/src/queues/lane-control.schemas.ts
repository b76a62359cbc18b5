/** Bodies and answers of the endpoints that pause and resume lanes. */
import { z } from 'zod';

export const lanePauseBody = z
  .strictObject({
    by: z.string().min(1).max(200).default('api').describe('Who pauses it.'),
    note: z.string().max(2_000).optional().describe('Why, for whoever finds it paused.'),
  })
  .optional()
  .meta({ id: 'LanePauseRequest' });
export type LanePauseBody = z.infer<typeof lanePauseBody>;

export const lanePausedJson = z
  .object({
    lane: z.string(),
    paused: z.literal(true),
    paused_by: z.string(),
    note: z.string().nullable(),
  })
  .meta({ id: 'LanePaused' });

export const laneResumedJson = z
  .object({ lane: z.string(), paused: z.literal(false) })
  .meta({ id: 'LaneResumed' });
