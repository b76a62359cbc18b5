/** What a workflow run can be asked, and what it answers. */
import { z } from 'zod';
import { QUERY_LIMITS } from '@spine/orchestration';
import type { QueryAnswer, WorkflowQuery } from '@spine/orchestration';
import { object, toStepViewJson } from './inspect-steps.schemas.ts';

const stepName = z.string().min(1).max(100);

export const workflowQueryBody = z
  .discriminatedUnion('name', [
    z.strictObject({ name: z.literal('state') }),
    z.strictObject({ name: z.literal('context') }),
    z.strictObject({
      name: z.literal('outputs'),
      steps: z
        .array(stepName)
        .min(1)
        .max(QUERY_LIMITS.steps)
        .optional()
        .describe('Default: every step that has completed.'),
    }),
    z.strictObject({ name: z.literal('step'), step: stepName }),
    z.strictObject({ name: z.literal('signals') }),
  ])
  .meta({ id: 'WorkflowQuery', examples: [{ name: 'outputs', steps: ['fetch'] }] });
export type WorkflowQueryBody = z.infer<typeof workflowQueryBody>;

export function toWorkflowQuery(body: WorkflowQueryBody): WorkflowQuery {
  return body;
}

export const queryAnswerJson = z
  .object({ run_id: z.string(), name: z.string(), answer: object })
  .meta({ id: 'WorkflowQueryAnswer', description: 'What a workflow run answers, from one moment of it.' });

export function toQueryAnswerJson(
  runId: string,
  answer: Exclude<QueryAnswer, { name: 'unknown_step' }>,
): z.infer<typeof queryAnswerJson> {
  const { name, ...said } = answer;
  const json = answer.name === 'step' ? { step: toStepViewJson(answer.step) } : said;
  return { run_id: runId, name, answer: json };
}

/** A recording is for programs: it keeps the form in which `recordingFromJson` reads it. */
export const recordingAnswer = z
  .object({ format: z.string(), workflow: z.string(), hash: z.string(), status: z.string() })
  .loose()
  .meta({ id: 'WorkflowRecording', description: 'What `recordingFromJson` of @spine/orchestration reads.' });
