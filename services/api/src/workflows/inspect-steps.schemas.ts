/** A step of a workflow run as JSON, and what the answers about runs have in common. */
import { z } from 'zod';
import { ERROR_CATEGORIES } from '@spine/core';
import type { ErrorInfo } from '@spine/core';
import { INSPECT_LIMITS, QualityMetrics, STEP_KINDS, STEP_STATUSES } from '@spine/orchestration';
import type { StepView, WaitsFor } from '@spine/orchestration';

export const instant = z.iso.datetime();
export const object = z.record(z.string(), z.unknown());
export const iso = (date: Date | null): string | null => date?.toISOString() ?? null;

/** An error of a step or a run, as it is shown. */
export const errorJson = z.object({
  message: z.string(),
  type: z.string(),
  category: z.enum(ERROR_CATEGORIES),
  retryable: z.boolean(),
});

export function toErrorJson(error: ErrorInfo | null): z.infer<typeof errorJson> | null {
  if (error === null) return null;
  const { message, type, category, retryable } = error;
  return { message, type, category, retryable };
}

const waitsForJson = z
  .object({
    type: z.enum(['steps', 'slot', 'resume', 'run', 'items', 'retry', 'time', 'signal', 'approval']),
    until: instant
      .nullable()
      .describe('When it goes on, or fails, in any case; null for never, or while the run is paused.'),
    steps: z.array(z.string()).optional().describe('Up to 20 of the steps that have not settled.'),
    count: z.int().optional(),
    run_id: z.string().nullable().optional(),
    running: z.int().optional().describe('Items under way.'),
    not_started: z.int().optional(),
    signal: z.string().optional(),
    approvers: z.array(z.string()).optional(),
    message: z.string().optional(),
  })
  .meta({ id: 'WorkflowStepWaitsFor', description: 'Why a step that has not settled does not go on.' });

function toWaitsForJson(waits: WaitsFor | null): z.infer<typeof waitsForJson> | null {
  if (waits === null) return null;
  const until = 'until' in waits ? iso(waits.until) : null;
  switch (waits.type) {
    case 'steps':
      return { type: waits.type, until, steps: [...waits.steps], count: waits.count };
    case 'run':
      return { type: waits.type, until, run_id: waits.runId };
    case 'items':
      return { type: waits.type, until, running: waits.running, not_started: waits.notStarted };
    case 'signal':
      return { type: waits.type, until, signal: waits.signal };
    case 'approval':
      return { type: waits.type, until, approvers: [...waits.approvers], message: waits.message };
    case 'slot':
    case 'resume':
    case 'retry':
    case 'time':
      return { type: waits.type, until };
  }
}

const mapJson = z.object({
  count: z.int(),
  running: z.int(),
  succeeded: z.int(),
  failed: z.int(),
  not_started: z.int(),
});

export const omitted = z
  .boolean()
  .describe(`Whether a value of more than ${INSPECT_LIMITS.valueBytes} bytes was left out.`);

const qualityJson = z
  .object({
    record_count: z.int().min(0),
    valid_count: z.int().min(0),
    valid_rate: z.number().describe('valid_count of record_count, 0 to 1; 1 where there are no records.'),
    passed: z.boolean().describe("Whether the step's own gate let the data through."),
    custom_metrics: z.record(z.string(), z.union([z.number(), z.string()])),
  })
  .meta({
    id: 'StepQuality',
    examples: [
      { record_count: 200, valid_count: 190, valid_rate: 0.95, passed: true, custom_metrics: { late: 3 } },
    ],
  });

function toQualityJson(quality: QualityMetrics | null): z.infer<typeof qualityJson> | null {
  if (quality === null) return null;
  return {
    record_count: quality.recordCount,
    valid_count: quality.validCount,
    valid_rate: QualityMetrics.validRate(quality),
    passed: quality.passed,
    custom_metrics: { ...quality.customMetrics },
  };
}

export const workflowStepViewJson = z
  .object({
    name: z.string(),
    kind: z.enum(STEP_KINDS),
    status: z.enum(STEP_STATUSES),
    attempts: z.int(),
    output: object.nullable(),
    omitted,
    error: errorJson.nullable(),
    reason: z.string().nullable().describe('Why it was skipped.'),
    added: z.boolean().describe('Not in the definition: added while it ran.'),
    waits_for: waitsForJson.nullable(),
    run_id: z.string().nullable().describe('Of the last attempt.'),
    started_at: instant.nullable().describe('Null for waits and choices, which need no run.'),
    ended_at: instant.nullable(),
    items: mapJson.nullable().describe('Of a map that has begun; GET …/steps/{step}/items lists them.'),
    quality: qualityJson.nullable().describe('What its last answer has said about the data.'),
    undo: z.string().nullable().describe('Status of its compensation.'),
  })
  .meta({ id: 'WorkflowStepView' });

export function toStepViewJson(step: StepView): z.infer<typeof workflowStepViewJson> {
  const { name, kind, status, attempts, output, reason, added, undo, map } = step;
  return {
    name,
    kind,
    status,
    attempts,
    output,
    omitted: step.omitted,
    error: toErrorJson(step.error),
    reason,
    added,
    waits_for: toWaitsForJson(step.waitsFor),
    run_id: step.runId,
    started_at: iso(step.startedAt),
    ended_at: iso(step.endedAt),
    items:
      map === null
        ? null
        : {
            count: map.count,
            running: map.running,
            succeeded: map.succeeded,
            failed: map.failed,
            not_started: map.notStarted,
          },
    quality: toQualityJson(step.quality),
    undo,
  };
}
