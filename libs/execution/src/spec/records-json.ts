/**
 * The JSON of what Postgres holds: runs, events, dead letters. The one place where their camelCase becomes snake_case;
 * HTTP, CLI and SDK all speak these shapes. Schema and mapping stand together, so that neither can drift alone.
 */
import { z } from 'zod';
import { hideSecretFields, isoInstant, PRIORITIES, RUN_KINDS, RUN_STATUSES } from '@spine/core';
import type { DeadLetter, RunEvent, RunRecord } from '@spine/database';
import { parseTraceparent } from '@spine/observability';
import { parseRef, standIn } from '../payload/ref.ts';
import { retryPolicyJson, storedRetryPolicy, toRetryPolicyJson } from './retry-json.ts';

const instant = z.iso.datetime().describe('RFC 3339, UTC.');
const json = z.unknown().describe('Any JSON.');
const shownParams = z
  .unknown()
  .describe('Any JSON; fields whose names say that they may be secret show [REDACTED].');
/** Opaque to clients: an id of an earlier release may have another form. */
const id = z.string();

export const storedErrorJson = z
  .object({
    message: z.string(),
    type: z.string().describe('Class of the error.'),
    category: z.string(),
    retryable: z.boolean(),
    retry_after: z.number().nullable().optional().describe('Seconds the failing side asked to wait.'),
    details: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('What the error says besides: `quality` of a step of a workflow.'),
  })
  .meta({ id: 'RunError', description: 'The error that ended an attempt.' });

export const runJson = z
  .object({
    run_id: id,
    kind: z.enum(RUN_KINDS),
    name: z.string(),
    lane: z.string(),
    priority: z.enum(PRIORITIES),
    status: z.enum(RUN_STATUSES),
    params: shownParams,
    result: json,
    omitted: z
      .array(z.enum(['params', 'result']))
      .describe('What is too large for this answer: {"$omitted": {bytes, sha256}} stands in its place.'),
    error: storedErrorJson.nullable(),
    attempt: z.int().describe('Attempts started so far.'),
    max_attempts: z.int(),
    epoch: z.int().describe('Grows with every claim, hand-back, reap and cancel.'),
    crash_count: z.int().describe('Attempts whose worker went silent.'),
    idempotency_key: z.string().nullable(),
    correlation_id: z.string().nullable(),
    parent_run_id: id.nullable(),
    retry_of_run_id: id.nullable().describe('The run this one does again.'),
    trigger_source: z.string(),
    namespace: z.string().nullable().describe('Of the key that asked for it, or of the run it comes from.'),
    submitted_by: z
      .string()
      .nullable()
      .describe('The key that asked for it; null where none was needed, and for what Spine started itself.'),
    trace_id: z
      .string()
      .nullable()
      .describe('The trace it was submitted in, 32 hex digits; null where that was not traced.'),
    metadata: z.record(z.string(), z.unknown()),
    tags: z.array(z.string()),
    retry_delay_seconds: z.number(),
    timeout_seconds: z.number(),
    available_at: instant,
    expires_at: instant.nullable().describe('Not started by then, it never is.'),
    deadline_at: instant.nullable().describe('Over then, whatever its attempts allow.'),
    singleton_key: z.string().nullable(),
    retry: retryPolicyJson.nullable(),
    created_at: instant,
    started_at: instant.nullable().describe('Start of the first attempt.'),
    completed_at: instant.nullable(),
    duration_ms: z
      .int()
      .nullable()
      .describe('From the start of the first attempt to the end, waits included.'),
    lease: z
      .object({ worker_id: id, expires_at: instant, deadline_at: instant })
      .nullable()
      .describe('Held while the run runs.'),
  })
  .meta({ id: 'Run', description: 'One accepted piece of work.' });

export const runEventJson = z
  .object({
    event_id: id.describe('Grows within a run.'),
    run_id: id,
    event_type: z.string().describe('submitted, started, progress, completed, …'),
    timestamp: instant,
    data: json,
    source: z.string().describe('Who wrote it: api, worker:<id>, reaper, …'),
    epoch: z.int(),
    terminal: z.boolean(),
  })
  .meta({ id: 'RunEvent', description: 'One line of a run’s history.' });

export const deadLetterJson = z
  .object({
    dead_letter_id: id,
    run_id: id,
    kind: z.enum(RUN_KINDS),
    name: z.string(),
    lane: z.string(),
    params: shownParams,
    error: storedErrorJson,
    error_category: z.string(),
    attempts: z.int(),
    crash_count: z.int(),
    correlation_id: z.string().nullable(),
    created_at: instant,
    resolved_at: instant.nullable(),
    resolution: z.enum(['replayed', 'resolved']).nullable(),
    resolved_by: z.string().nullable(),
    note: z.string().nullable(),
    replay_run_id: id.nullable(),
    namespace: z.string().nullable().describe('Of its run.'),
  })
  .meta({ id: 'DeadLetter', description: 'A run that ended without success and waits for a person.' });

export type RunJson = z.infer<typeof runJson>;
export type RunEventJson = z.infer<typeof runEventJson>;
export type DeadLetterJson = z.infer<typeof deadLetterJson>;

function iso(time: Date | null): string | null {
  return time === null ? null : isoInstant(time);
}

function retryOf(run: RunRecord): RunJson['retry'] {
  const policy = storedRetryPolicy(run.retryPolicy);
  return policy === null ? null : toRetryPolicyJson(policy);
}

function omittedOf({ paramsRef, resultRef }: RunRecord): RunJson['omitted'] {
  return [
    ...(paramsRef === null ? [] : ['params' as const]),
    ...(resultRef === null ? [] : ['result' as const]),
  ];
}

/** The row of a run whose result is elsewhere has none. */
function resultOf({ result, resultRef }: RunRecord): unknown {
  return result === null && resultRef !== null ? standIn(parseRef(resultRef)) : result;
}

function traceIdOf({ traceContext }: RunRecord): string | null {
  return traceContext === null ? null : (parseTraceparent(traceContext)?.traceId ?? null);
}

function leaseOf(run: RunRecord): RunJson['lease'] {
  const { leaseOwner, leaseExpiresAt, deadlineAt } = run;
  if (leaseOwner === null || leaseExpiresAt === null || deadlineAt === null) return null;
  return {
    worker_id: leaseOwner,
    expires_at: isoInstant(leaseExpiresAt),
    deadline_at: isoInstant(deadlineAt),
  };
}

export function toRunJson(run: RunRecord): RunJson {
  return {
    run_id: run.runId,
    kind: run.kind,
    name: run.name,
    lane: run.lane,
    priority: run.priority,
    status: run.status,
    params: hideSecretFields(run.params),
    result: resultOf(run),
    omitted: omittedOf(run),
    error: run.error,
    attempt: run.attempt,
    max_attempts: run.maxAttempts,
    epoch: run.epoch,
    crash_count: run.crashCount,
    idempotency_key: run.idempotencyKey,
    correlation_id: run.correlationId,
    parent_run_id: run.parentRunId,
    retry_of_run_id: run.retryOfRunId,
    trigger_source: run.triggerSource,
    namespace: run.namespace,
    submitted_by: run.submittedBy,
    trace_id: traceIdOf(run),
    metadata: hideSecretFields(run.metadata),
    tags: [...run.tags],
    retry_delay_seconds: run.retryDelayMs / 1000,
    timeout_seconds: run.timeoutMs / 1000,
    available_at: isoInstant(run.availableAt),
    expires_at: iso(run.expiresAt),
    deadline_at: iso(run.runDeadlineAt),
    singleton_key: run.singletonKey,
    retry: retryOf(run),
    created_at: isoInstant(run.createdAt),
    started_at: iso(run.startedAt),
    completed_at: iso(run.completedAt),
    duration_ms:
      run.startedAt === null || run.completedAt === null
        ? null
        : run.completedAt.getTime() - run.startedAt.getTime(),
    lease: leaseOf(run),
  };
}

export function toRunEventJson(event: RunEvent): RunEventJson {
  return {
    event_id: event.eventId,
    run_id: event.runId,
    event_type: event.eventType,
    timestamp: isoInstant(event.timestamp),
    data: event.data,
    source: event.source,
    epoch: event.epoch,
    terminal: event.terminal,
  };
}

export function toDeadLetterJson(letter: DeadLetter): DeadLetterJson {
  return {
    dead_letter_id: letter.deadLetterId,
    run_id: letter.runId,
    kind: letter.kind,
    name: letter.name,
    lane: letter.lane,
    params: hideSecretFields(letter.params),
    error: letter.error,
    error_category: letter.errorCategory,
    attempts: letter.attempts,
    crash_count: letter.crashCount,
    correlation_id: letter.correlationId,
    created_at: isoInstant(letter.createdAt),
    resolved_at: iso(letter.resolvedAt),
    resolution: letter.resolution,
    resolved_by: letter.resolvedBy,
    note: letter.note,
    replay_run_id: letter.replayRunId,
    namespace: letter.namespace,
  };
}
