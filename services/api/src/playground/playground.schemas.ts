/** Bodies and queries of the playground's endpoints. */
import { z } from 'zod';
import { ERROR_CATEGORIES, isUuid } from '@spine/core';
import { PLAYGROUND_MODES } from '@spine/database';
import { PLAYGROUND_LIMITS, workflowJson } from '@spine/orchestration';
import { cursorPaging } from '../http/paging.ts';
import { text } from '../http/query-values.ts';

const object = z.record(z.string(), z.json());
const stepName = z.string().min(1).max(100);

const answer = z
  .discriminatedUnion('status', [
    z.strictObject({
      status: z.literal('ok'),
      output: object.default({}),
      context_updates: object.optional(),
      next_step: stepName.optional(),
    }),
    z.strictObject({
      status: z.literal('fail'),
      error: z.strictObject({
        message: z.string().min(1).max(4_000),
        type: z.string().min(1).max(200).optional(),
        category: z.enum(ERROR_CATEGORIES).optional(),
        retryable: z.boolean().optional().describe('Default: by the category.'),
        retry_after_seconds: z.number().min(0).max(86_400).optional(),
      }),
    }),
    z.strictObject({ status: z.literal('skip'), reason: z.string().min(1).max(4_000) }),
  ])
  .meta({ id: 'PlaygroundAnswer', description: 'What a step answers in place of its handler.' });
export type AnswerJson = z.infer<typeof answer>;

const answers = z
  .record(z.string().min(1).max(120), z.union([answer, z.array(answer).min(1).max(100)]))
  .describe(
    'By unit: a step `load`, an item of a map `each[3]` (`each`: all items), a compensation `load!undo`, or `!on_failure`. ' +
      'A list has an answer for each attempt; its last one counts for those that follow.',
  );
export type AnswersJson = z.infer<typeof answers>;

const MAX_DEFINITION_TEXT = 1_048_576;
const { ttlSeconds } = PLAYGROUND_LIMITS;

export const sessionBody = z
  .strictObject({
    workflow: z.string().min(1).max(200).optional().describe('A published workflow, by its name.'),
    version: z.int().min(1).optional().describe('Default: the current one.'),
    definition: workflowJson.optional().describe('A definition that need not be published.'),
    yaml_content: z.string().min(1).max(MAX_DEFINITION_TEXT).optional().describe('The same as YAML.'),
    mode: z
      .enum(PLAYGROUND_MODES)
      .default('stub')
      .describe(
        'stub: steps answer `answers`, else an empty output. recorded: what the steps of `run_id` answered. ' +
          'live: handlers are called in the API’s process, if they are registered as safe for it.',
      ),
    run_id: z
      .string()
      .refine(isUuid, 'is no id of a run')
      .optional()
      .describe(
        'Of mode recorded: a workflow run that has ended. Its definition and params are the default.',
      ),
    params: object.optional(),
    environment: z.string().min(1).max(100).optional().describe('Default production.'),
    answers: answers.default({}),
    ttl_seconds: z
      .int()
      .min(ttlSeconds.min)
      .max(ttlSeconds.max)
      .default(ttlSeconds.default)
      .describe(`How long it is kept without a change. Default ${ttlSeconds.default}.`),
  })
  .meta({
    id: 'PlaygroundSessionRequest',
    description: 'One of workflow, definition and yaml_content; none of them with run_id.',
  });
export type SessionBody = z.infer<typeof sessionBody>;

export const sessionListQuery = z.strictObject({
  ...cursorPaging,
  created_by: text(200).optional(),
  workflow: text(200).optional(),
});
export type SessionListQuery = z.infer<typeof sessionListQuery>;

export const historyQuery = z.strictObject({ ...cursorPaging });
export type HistoryQuery = z.infer<typeof historyQuery>;

const more = { answers: answers.optional() };
const maxSteps = z
  .int()
  .min(1)
  .max(PLAYGROUND_LIMITS.moves)
  .default(100)
  .describe('Steps forth of this call at the most. Default 100.');

export const stepBody = z.strictObject(more).default({}).meta({ id: 'PlaygroundStep' });
export type StepBody = z.infer<typeof stepBody>;

export const runToBody = z
  .strictObject({ step: stepName.describe('Goes on until it has settled.'), max_steps: maxSteps, ...more })
  .meta({ id: 'PlaygroundRunTo' });
export type RunToBody = z.infer<typeof runToBody>;

export const runAllBody = z
  .strictObject({ max_steps: maxSteps, ...more })
  .prefault({})
  .meta({ id: 'PlaygroundRunAll' });
export type RunAllBody = z.infer<typeof runAllBody>;

export const paramsBody = z
  .strictObject({
    params: object
      .refine((params) => Object.keys(params).length > 0, 'must name at least one param')
      .describe('They take the place of those of the same names, for all that has not begun.'),
  })
  .meta({ id: 'PlaygroundParams' });
export type ParamsBody = z.infer<typeof paramsBody>;

export const decideBody = z
  .strictObject({
    step: stepName,
    approved: z.boolean(),
    by: z.string().min(1).max(200).describe('One of the approvers where the step names some.'),
    comment: z.string().max(2_000).optional(),
  })
  .meta({ id: 'PlaygroundDecision' });
export type DecideBody = z.infer<typeof decideBody>;
