/** The JSON of an explanation. */
import { z } from 'zod';
import { RUN_STATUSES } from '@spine/core';
import type { Explanation } from './explain-run.ts';
import { WAIT_CODES } from './wait-reason.ts';
import type { ExplainFacts, WaitReason } from './wait-reason.ts';

const instant = z.iso.datetime();

const reasonJson = z
  .object({
    code: z.enum(WAIT_CODES),
    message: z.string(),
    since: instant.optional(),
    until: instant.optional().describe('From then on this reason is gone, where time alone ends it.'),
    run_ids: z.array(z.string()).optional().describe('Runs that stand in the way; the first 20.'),
    key: z.string().optional().describe('The key, lane, handler or dependency.'),
    limit: z.int().optional(),
    position: z.int().optional().describe('In the line, 1 for the next; counted up to 10,000.'),
    worker_id: z.string().optional(),
    by: z.string().optional().describe('Who brought it about.'),
  })
  .meta({ id: 'WaitReason', description: 'Something that keeps a run from starting.' });

export const explanationJson = z
  .object({
    run_id: z.string(),
    status: z.enum(RUN_STATUSES),
    waiting: z.boolean(),
    reasons: z.array(reasonJson).describe('All that hold now; the run starts when the last is gone.'),
    checked_at: instant.describe('The moment the rows were read at, by the database’s clock.'),
  })
  .meta({ id: 'RunExplanation' });

export type ExplanationJson = z.infer<typeof explanationJson>;

function toReasonJson(reason: WaitReason): z.infer<typeof reasonJson> {
  const { code, message, since, until, runIds, workerId, key, limit, position, by } = reason;
  return {
    code,
    message,
    ...(since === undefined ? {} : { since: since.toISOString() }),
    ...(until === undefined ? {} : { until: until.toISOString() }),
    ...(runIds === undefined ? {} : { run_ids: [...runIds] }),
    ...(key === undefined ? {} : { key }),
    ...(limit === undefined ? {} : { limit }),
    ...(position === undefined ? {} : { position }),
    ...(workerId === undefined ? {} : { worker_id: workerId }),
    ...(by === undefined ? {} : { by }),
  };
}

export function toExplanationJson({ run }: ExplainFacts, explanation: Explanation): ExplanationJson {
  return {
    run_id: run.runId,
    status: run.status,
    waiting: explanation.waiting,
    reasons: explanation.reasons.map(toReasonJson),
    checked_at: run.now.toISOString(),
  };
}
