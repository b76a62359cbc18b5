/** The patterns that most data work follows. */
import { z } from 'zod';
import { present } from '@spine/core';
import { retryPolicyFromJson, retryPolicyJson } from '@spine/execution';
import { callJson } from '../../workflow/json.ts';
import { callFromJson } from '../../workflow/json-steps.ts';
import { WORKFLOW_LIMITS } from '../../workflow/model.ts';
import type { Step, WorkflowInput } from '../../workflow/model.ts';
import type { TemplateRegistry } from './registry.ts';

const handler = z.string().regex(WORKFLOW_LIMITS.name);
const json = z.record(z.string(), z.json());
const about = {
  name: handler,
  domain: z.string().min(1).max(200).optional(),
  description: z.string().max(10_000).optional(),
  tags: z.array(z.string().min(1)).optional(),
  defaults: json.optional(),
};
type About = z.infer<z.ZodObject<typeof about>>;

const workflowOf = (
  { name, domain, description, tags, defaults }: About,
  steps: readonly Step[],
  policy?: WorkflowInput['policy'],
): WorkflowInput => present({ name, domain, description, tags, defaults, steps, policy });

/** An operation that is given the run's params, and the output of the step before under its name. */
const operation = (name: string, called: string, before?: string): Step => ({
  kind: 'operation',
  name,
  handler: called,
  params: {
    params: '{{ params }}',
    ...(before === undefined ? {} : { [before]: `{{ steps.${before}.output }}` }),
  },
});

function etl(registry: TemplateRegistry): void {
  registry.register({
    name: 'etl',
    description: 'Extract, transform, load, one after the other; optionally a validation before the load.',
    params: z.strictObject({
      ...about,
      extract: handler,
      transform: handler,
      validate: handler.optional(),
      load: handler,
    }),
    make: (params) => {
      const checked =
        params.validate === undefined ? [] : [operation('validate', params.validate, 'transform')];
      return workflowOf(params, [
        operation('extract', params.extract),
        operation('transform', params.transform, 'extract'),
        ...checked,
        operation('load', params.load, 'transform'),
      ]);
    },
  });
}

function fanOutFanIn(registry: TemplateRegistry): void {
  registry.register({
    name: 'fan_out_fan_in',
    description: 'One run of a handler for every item, then a merge of all outputs.',
    params: z.strictObject({
      ...about,
      items: z
        .union([z.string().min(1), z.array(z.json())])
        .describe('A reference, an expression, or the list.'),
      iterator: callJson.describe('Called with { item } unless it has params of its own.'),
      merge: callJson.describe(
        'Called with { items, count, succeeded, failed } unless it has params of its own.',
      ),
      max_concurrency: z.int().min(1).max(WORKFLOW_LIMITS.mapConcurrency).optional(),
      tolerated_failures: z.union([z.int().min(0), z.literal('all')]).optional(),
    }),
    make: (params) => {
      const scattered = Object.fromEntries(
        ['items', 'count', 'succeeded', 'failed'].map((field) => [
          field,
          `{{ steps.scatter.output.${field} }}`,
        ]),
      );
      return workflowOf(params, [
        present({
          kind: 'map' as const,
          name: 'scatter',
          items: params.items,
          iterator: [{ params: { item: '{{ item }}' }, ...callFromJson(params.iterator), name: 'item' }],
          maxConcurrency: params.max_concurrency,
          toleratedFailures: params.tolerated_failures,
        }),
        { params: scattered, ...callFromJson(params.merge), name: 'gather' },
      ]);
    },
  });
}

function conditionalBranch(registry: TemplateRegistry): void {
  registry.register({
    name: 'conditional_branch',
    description:
      'One handler where a condition holds, else another; optionally one before, whose output it may read.',
    params: z.strictObject({
      ...about,
      prepare: callJson.optional().describe('The step `prepare`, before the choice.'),
      condition: z.string().min(1).describe('e.g. steps.prepare.output.count > 0'),
      then: callJson,
      otherwise: callJson.optional(),
    }),
    make: (params) => {
      const prepare: readonly Step[] =
        params.prepare === undefined ? [] : [{ ...callFromJson(params.prepare), name: 'prepare' }];
      const otherwise: readonly Step[] =
        params.otherwise === undefined ? [] : [{ ...callFromJson(params.otherwise), name: 'otherwise' }];
      const choice: Step = present({
        kind: 'choice' as const,
        name: 'choose',
        routes: [{ condition: params.condition, thenStep: 'then' }],
        elseStep: params.otherwise === undefined ? undefined : 'otherwise',
        dependsOn: params.prepare === undefined ? undefined : ['prepare'],
      });
      const then: Step = { ...callFromJson(params.then), name: 'then' };
      return workflowOf(params, [...prepare, choice, then, ...otherwise], { mode: 'parallel' });
    },
  });
}

function retryWrapper(registry: TemplateRegistry): void {
  registry.register({
    name: 'retry_wrapper',
    description: 'An operation that is tried again, and a fallback where it fails for good.',
    params: z.strictObject({
      ...about,
      operation: callJson,
      retry: retryPolicyJson,
      timeout_seconds: z.number().min(0.001).optional(),
      fallback: callJson.optional(),
    }),
    make: (params) => {
      const attempt: Step = present({
        ...callFromJson(params.operation),
        name: 'attempt',
        retry: retryPolicyFromJson(params.retry),
        timeoutSeconds: params.timeout_seconds,
        onError: params.fallback === undefined ? undefined : ('continue' as const),
      });
      if (params.fallback === undefined) return workflowOf(params, [attempt]);
      const fallback: Step = {
        ...callFromJson(params.fallback),
        name: 'fallback',
        when: 'steps.attempt.status == "failed"',
      };
      return workflowOf(params, [attempt, fallback]);
    },
  });
}

function scheduledBatch(registry: TemplateRegistry): void {
  registry.register({
    name: 'scheduled_batch',
    description:
      'Waits until a time, if one is given, then runs an operation, validates what it made and tells somebody.',
    params: z.strictObject({
      ...about,
      wait_until: z
        .string()
        .min(1)
        .optional()
        .describe('An instant or a reference to one, e.g. {{ params.at }}.'),
      operation: handler,
      validator: handler.optional(),
      notifier: handler.optional(),
    }),
    make: (params) => {
      const wait: readonly Step[] =
        params.wait_until === undefined
          ? []
          : [{ kind: 'wait', name: 'wait', wait: { until: params.wait_until } }];
      const validate = params.validator === undefined ? [] : [operation('validate', params.validator, 'run')];
      const notify =
        params.notifier === undefined
          ? []
          : [operation('notify', params.notifier, params.validator === undefined ? 'run' : 'validate')];
      return workflowOf(params, [...wait, operation('run', params.operation), ...validate, ...notify]);
    },
  });
}

export const BUILT_IN_TEMPLATES: readonly ((registry: TemplateRegistry) => void)[] = [
  etl,
  fanOutFanIn,
  conditionalBranch,
  retryWrapper,
  scheduledBatch,
];
