/**
 * The JSON of a workflow: the one place where its snake_case becomes camelCase. Unknown fields are refused. What no schema
 * can say (cycles, references, handlers) is checked by `defineWorkflow`.
 */
import { z } from 'zod';
import type { JsonValue } from '@spine/core';
import { LIMITS, retryPolicyJson } from '@spine/execution';
import { CONFLICT_POLICIES, ERROR_POLICIES, EXECUTION_MODES, WORKFLOW_LIMITS as MAX } from './model.ts';

const stepName = z
  .string()
  .regex(
    MAX.stepName,
    'must be a letter followed by at most 99 letters, digits, "_" or "-", and neither constructor nor prototype',
  );
const signalName = z
  .string()
  .regex(
    MAX.signal,
    'must be a letter followed by at most 199 letters, digits, "_", "." or "-", and neither constructor nor prototype',
  );
const handlerName = z
  .string()
  .regex(MAX.name, 'must be a letter followed by at most 199 letters, digits, "_", "." or "-"');
/** Under the type that the rest of the code has for it. */
const jsonValue: z.ZodType<JsonValue> = z.json();
const object = z.record(z.string(), jsonValue);
const seconds = z.number().min(0.001).max(MAX.timeoutSeconds);
const condition = z.string().min(1).describe('A CEL expression that answers true or false.');

const attempted = {
  timeout_seconds: z.number().min(0.001).max(LIMITS.timeoutSeconds).optional().describe('Of one attempt.'),
  retry: retryPolicyJson.optional(),
};

export const callJson = z
  .strictObject({
    kind: z.enum(['operation', 'lambda']),
    handler: handlerName,
    params: object.optional(),
  })
  .meta({ id: 'WorkflowCall' });

const common = {
  name: stepName,
  depends_on: z.array(stepName).max(MAX.steps).optional(),
  when: condition.optional(),
  on_error: z.enum(ERROR_POLICIES).optional(),
  compensate: callJson.optional(),
};

const call = { handler: handlerName, params: object.optional(), ...attempted };

export const iteratorStepJson = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('operation'), name: stepName, ...call }),
  z.strictObject({ kind: z.literal('lambda'), name: stepName, ...call }),
  z.strictObject({
    kind: z.literal('workflow'),
    name: stepName,
    workflow: handlerName,
    params: object.optional(),
    ...attempted,
  }),
]);

const waitJson = z.union([
  z.strictObject({ duration_seconds: z.number().min(0).max(MAX.timeoutSeconds) }),
  z.strictObject({ until: z.string().min(1).describe('An RFC 3339 instant or a reference to one.') }),
  z.strictObject({ signal: signalName, timeout_seconds: seconds.optional() }),
]);

export const stepJson = z
  .discriminatedUnion('kind', [
    z.strictObject({ kind: z.literal('operation'), ...common, ...call }),
    z.strictObject({ kind: z.literal('lambda'), ...common, ...call }),
    z.strictObject({
      kind: z.literal('choice'),
      ...common,
      routes: z
        .array(z.strictObject({ condition, then_step: stepName }))
        .min(1)
        .max(MAX.routes),
      else_step: stepName.optional(),
    }),
    z.strictObject({ kind: z.literal('wait'), ...common, wait: waitJson }),
    z.strictObject({
      kind: z.literal('map'),
      ...common,
      items: z
        .union([z.string().min(1), z.array(jsonValue).max(MAX.items)])
        .describe('A reference to a list, a CEL expression that answers one, or the list.'),
      iterator: z.array(iteratorStepJson).min(1).max(MAX.iteratorSteps),
      max_concurrency: z.int().min(1).max(MAX.mapConcurrency).optional(),
      partition_by: z.string().min(1).max(200).optional(),
      tolerated_failures: z.union([z.int().min(0).max(MAX.items), z.literal('all')]).optional(),
    }),
    z.strictObject({
      kind: z.literal('workflow'),
      ...common,
      workflow: handlerName,
      params: object.optional(),
      wait: z.boolean().optional(),
      inherit_context: z.boolean().optional(),
      timeout_seconds: seconds.optional(),
      retry: retryPolicyJson.optional(),
    }),
    z.strictObject({
      kind: z.literal('approval'),
      ...common,
      approvers: z.array(z.string().min(1).max(200)).max(100),
      message: z.string().max(2_000).optional(),
      timeout_seconds: seconds.optional(),
      auto_approve: z.array(z.string().min(1).max(100)).max(20).optional(),
      context_fields: object.optional(),
    }),
  ])
  .meta({ id: 'WorkflowStep' });

export const workflowJson = z
  .strictObject({
    name: handlerName,
    domain: z.string().min(1).max(200).optional(),
    description: z.string().max(10_000).optional(),
    tags: z.array(z.string().min(1).max(LIMITS.tagLength)).max(LIMITS.tags).optional(),
    defaults: object.optional(),
    steps: z.array(stepJson).max(MAX.steps),
    policy: z
      .strictObject({
        mode: z.enum(EXECUTION_MODES).optional(),
        max_concurrency: z.int().min(1).max(MAX.mapConcurrency).optional(),
        timeout_seconds: seconds.optional(),
        on_error: z.enum(ERROR_POLICIES).optional(),
        retry: retryPolicyJson.optional(),
        on_failure: callJson.optional(),
      })
      .optional(),
    concurrency: z
      .strictObject({
        max_runs: z.int().min(1).max(LIMITS.concurrency),
        on_conflict: z.enum(CONFLICT_POLICIES).optional(),
        queue_timeout_seconds: seconds.optional(),
      })
      .optional(),
    outputs: object.optional(),
  })
  .meta({ id: 'WorkflowDefinition', description: 'What runs, in which order and under which policy.' });

export type WorkflowJson = z.infer<typeof workflowJson>;
export type StepJson = z.infer<typeof stepJson>;
export type IteratorStepJson = z.infer<typeof iteratorStepJson>;
export type CallJson = z.infer<typeof callJson>;
