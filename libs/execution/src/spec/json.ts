/**
 * The JSON of a WorkSpec: the one place where its snake_case becomes camelCase. Unknown fields are refused, so that
 * a misspelt option is an error and not a silent default, and so that no client writes an engine column.
 */
import { z } from 'zod';
import { present, PRIORITIES, RUN_KINDS } from '@spine/core';
import { specGatesFromJson, specGatesJson } from '../gates/gates-json.ts';
import { LIMITS } from './limits.ts';
import { RESERVED_METADATA, reservedIn } from './reserved-metadata.ts';
import { retryPolicyFromJson, retryPolicyJson } from './retry-json.ts';
import { DEFAULTS } from './work-spec.ts';
import type { WorkSpec } from './work-spec.ts';

const key = z.string().min(1).max(LIMITS.keyLength);

/** Postgres takes the years 1 to 9999 in RFC 3339 form; an offset can carry an instant out of them. */
function isStorableInstant(text: string): boolean {
  const time = Date.parse(text);
  return time >= 0 && time < Date.UTC(10_000, 0, 1);
}

export const workSpecJson = z
  .strictObject({
    kind: z.enum(RUN_KINDS).describe('What is run.'),
    name: z
      .string()
      .regex(LIMITS.name, 'must be a letter followed by at most 199 letters, digits, "_", "." or "-"')
      .describe('Handler name without its kind; GET /functions lists them.'),
    params: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('A JSON object, at most 16 MiB unless the deployment says otherwise. Default {}.'),
    idempotency_key: key.optional().describe('Two submissions with one key are one run.'),
    correlation_id: key.optional().describe('Joins runs that belong together.'),
    priority: z.enum(PRIORITIES).optional().describe(`Default ${DEFAULTS.priority}.`),
    lane: z
      .string()
      .regex(LIMITS.lane, 'must be a lower-case letter followed by at most 62 of a-z, 0-9, "_" or "-"')
      .optional()
      .describe(`The queue. Default ${DEFAULTS.lane}.`),
    parent_run_id: z.uuid().optional(),
    trigger_source: z
      .string()
      .regex(
        LIMITS.triggerSource,
        'must be a lower-case letter followed by at most 99 of a-z, 0-9, "_", ".", ":", "-"',
      )
      .optional()
      .describe(`Who asked. Default ${DEFAULTS.triggerSource}.`),
    metadata: z
      .record(z.string(), z.unknown())
      .superRefine((metadata, ctx) => {
        for (const name of reservedIn(metadata))
          ctx.addIssue({ code: 'custom', path: [name], message: 'is written by the engine alone' });
      })
      .optional()
      .describe(`A JSON object, at most 16 KiB, without ${RESERVED_METADATA.join(', ')}.`),
    tags: z.array(z.string().min(1).max(LIMITS.tagLength)).max(LIMITS.tags).optional(),
    max_retries: z.int().min(0).max(LIMITS.maxRetries).optional().describe(`Default ${DEFAULTS.maxRetries}.`),
    retry_delay_seconds: z
      .number()
      .min(0)
      .max(LIMITS.retryDelaySeconds)
      .optional()
      .describe(
        `Before the first retry; doubles with each further one. Default ${DEFAULTS.retryDelaySeconds}.`,
      ),
    timeout_seconds: z
      .number()
      .min(0.001)
      .max(LIMITS.timeoutSeconds)
      .optional()
      .describe(`Of one attempt. Default ${DEFAULTS.timeoutSeconds}.`),
    run_after: z.iso
      .datetime({ offset: true })
      .refine(isStorableInstant, 'must be an instant from 1970 to 9999')
      .optional()
      .describe('Not before this instant (RFC 3339).'),
    expires_at: z.iso
      .datetime({ offset: true })
      .refine(isStorableInstant, 'must be an instant from 1970 to 9999')
      .optional()
      .describe('Not started by then, the run ends as timed_out (RFC 3339).'),
    deadline_seconds: z
      .number()
      .min(0.001)
      .max(LIMITS.deadlineSeconds)
      .optional()
      .describe('Of the whole run, all attempts and waits included. Default: none.'),
    retry: retryPolicyJson.optional(),
    singleton_key: key
      .optional()
      .describe('Of all runs with one key one is active and one waits, the latest; others are cancelled.'),
    debounce_seconds: z
      .number()
      .min(0.001)
      .max(LIMITS.deadlineSeconds)
      .optional()
      .describe('With a singleton_key: starts when no other run with it came for so long.'),
    ...specGatesJson,
    dead_letter: z
      .boolean()
      .optional()
      .describe('Whether a final failure becomes a dead letter. Default true, for steps false.'),
  })
  .refine((spec) => spec.debounce_seconds === undefined || spec.singleton_key !== undefined, {
    path: ['debounce_seconds'],
    message: 'debounce_seconds needs a singleton_key',
  })
  .refine((spec) => spec.debounce_seconds === undefined || spec.run_after === undefined, {
    path: ['debounce_seconds'],
    message: 'debounce_seconds and run_after exclude each other',
  })
  .refine((spec) => spec.max_retries === undefined || spec.retry?.max_retries === undefined, {
    path: ['retry', 'max_retries'],
    message: 'max_retries is given twice; leave one out',
  })
  .meta({ id: 'WorkSpec', description: 'What to run.' });

export type WorkSpecJson = z.infer<typeof workSpecJson>;

/** A validated body as a spec. */
export function workSpecFromJson(json: WorkSpecJson): WorkSpec {
  return present({
    kind: json.kind,
    name: json.name,
    params: json.params,
    idempotencyKey: json.idempotency_key,
    correlationId: json.correlation_id,
    priority: json.priority,
    lane: json.lane,
    parentRunId: json.parent_run_id,
    triggerSource: json.trigger_source,
    metadata: json.metadata,
    tags: json.tags,
    maxRetries: json.max_retries,
    retryDelaySeconds: json.retry_delay_seconds,
    timeoutSeconds: json.timeout_seconds,
    runAfter: json.run_after === undefined ? undefined : new Date(json.run_after),
    deadLetter: json.dead_letter,
    expiresAt: json.expires_at === undefined ? undefined : new Date(json.expires_at),
    deadlineSeconds: json.deadline_seconds,
    retry: json.retry === undefined ? undefined : retryPolicyFromJson(json.retry),
    singletonKey: json.singleton_key,
    debounceSeconds: json.debounce_seconds,
    ...specGatesFromJson(json),
  });
}
