/** The JSON of modifications: the one place where their snake_case becomes camelCase. */
import { assertNever, present } from '@spine/core';
import type { JsonValue } from '@spine/core';
import { z } from 'zod';
import { stepJson } from './json.ts';
import { stepFromJson, stepToJson } from './json-steps.ts';
import { WORKFLOW_LIMITS } from './model.ts';
import type { Modification } from './modification.ts';

const jsonValue: z.ZodType<JsonValue> = z.json();
const object = z.record(z.string(), jsonValue);
const stepName = z.string().min(1).max(100);

export const modificationJson = z
  .discriminatedUnion('type', [
    z.strictObject({
      type: z.literal('skip_steps'),
      steps: z.array(stepName).min(1).max(1_000).describe('Of those that have not begun.'),
    }),
    z.strictObject({ type: z.literal('insert_step_before'), before: stepName, step: stepJson }),
    z.strictObject({ type: z.literal('insert_step_after'), after: stepName, step: stepJson }),
    z.strictObject({
      type: z.literal('replace_step'),
      step: stepJson.describe('Takes the place of the step of its name, which has not begun.'),
    }),
    z.strictObject({
      type: z.literal('retry_step'),
      step: stepName,
      params: object.optional().describe('In place of its own.'),
    }),
    z.strictObject({
      type: z.literal('spawn_workflow'),
      name: stepName.describe('Unique within the run.'),
      workflow: z.string().regex(WORKFLOW_LIMITS.name),
      params: object.default({}),
    }),
    z.strictObject({
      type: z.literal('continue_as_new'),
      params: object.default({}),
      keep_outputs: z.boolean().default(false),
    }),
  ])
  .meta({ id: 'WorkflowModification', description: 'A change of the plan of one run.' });

export type ModificationJson = z.infer<typeof modificationJson>;

/** A checked modification as the model has it. */
export function modificationFromJson(json: ModificationJson): Modification {
  switch (json.type) {
    case 'skip_steps':
      return { type: json.type, steps: json.steps };
    case 'insert_step_before':
      return { type: json.type, before: json.before, step: stepFromJson(json.step) };
    case 'insert_step_after':
      return { type: json.type, after: json.after, step: stepFromJson(json.step) };
    case 'replace_step':
      return { type: json.type, step: stepFromJson(json.step) };
    case 'retry_step':
      return present({ type: json.type, step: json.step, params: json.params });
    case 'spawn_workflow':
      return { type: json.type, name: json.name, workflow: json.workflow, params: json.params };
    case 'continue_as_new':
      return { type: json.type, params: json.params, keepOutputs: json.keep_outputs };
    default:
      return assertNever(json);
  }
}

/** What `modificationFromJson` reads. */
export function modificationToJson(modification: Modification): ModificationJson {
  switch (modification.type) {
    case 'skip_steps':
      return { type: modification.type, steps: [...modification.steps] };
    case 'insert_step_before':
      return { type: modification.type, before: modification.before, step: stepToJson(modification.step) };
    case 'insert_step_after':
      return { type: modification.type, after: modification.after, step: stepToJson(modification.step) };
    case 'replace_step':
      return { type: modification.type, step: stepToJson(modification.step) };
    case 'retry_step':
      return present({ type: modification.type, step: modification.step, params: modification.params });
    case 'spawn_workflow': {
      const { type, name, workflow, params } = modification;
      return { type, name, workflow, params };
    }
    case 'continue_as_new':
      return { type: modification.type, params: modification.params, keep_outputs: modification.keepOutputs };
    default:
      return assertNever(modification);
  }
}
