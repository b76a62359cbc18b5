/** Bodies and answers of the endpoints of workflow runs that are under way. */
import { z } from 'zod';
import { RUN_KINDS, RUN_STATUSES } from '@spine/core';
import type { WorkflowStepRecord } from '@spine/database';
import { cursorPaging } from '../http/paging.ts';

export const stepListQuery = z.strictObject({ ...cursorPaging });
export type StepListQuery = z.infer<typeof stepListQuery>;

const instant = z.iso.datetime();

export const workflowStepJson = z
  .object({
    run_id: z.string().describe('Of the attempt’s own run.'),
    unit: z
      .string()
      .describe('What it is of the workflow: a step, an item such as `load[3]`, a compensation `load!undo`.'),
    attempt: z.int(),
    kind: z.enum(['step', 'item', 'child', 'detached']),
    run_kind: z.enum(RUN_KINDS),
    name: z.string(),
    status: z.enum(RUN_STATUSES),
    error: z
      .object({ message: z.string(), type: z.string(), category: z.string(), retryable: z.boolean() })
      .nullable(),
    created_at: instant,
    started_at: instant.nullable(),
    completed_at: instant.nullable(),
  })
  .meta({ id: 'WorkflowStepRun', description: 'A run that a workflow has started.' });

export function toWorkflowStepJson(step: WorkflowStepRecord): z.infer<typeof workflowStepJson> {
  const { error } = step;
  return {
    run_id: step.runId,
    unit: step.unit,
    attempt: step.attempt,
    kind: step.kind,
    run_kind: step.runKind,
    name: step.name,
    status: step.status,
    error:
      error === null
        ? null
        : {
            message: error.message,
            type: error.type,
            category: error.category,
            retryable: error.retryable,
          },
    created_at: step.createdAt.toISOString(),
    started_at: step.startedAt?.toISOString() ?? null,
    completed_at: step.completedAt?.toISOString() ?? null,
  };
}

export const signalBody = z
  .strictObject({
    name: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_.-]{0,199}$/, 'must be a name as handlers have them')
      .describe('A step that waits for it goes on; the last data of each name is kept.'),
    data: z
      .record(z.string(), z.json())
      .default({})
      .describe('The output of the step that waits. Default {}.'),
  })
  .meta({ id: 'WorkflowSignal' });
export type SignalBody = z.infer<typeof signalBody>;

export const decisionBody = z
  .strictObject({
    by: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe(
        'Who decides; one of the approvers where the step names some. Default: the name of the key. Another name needs the scope admin; in local mode it has to be said.',
      ),
    comment: z.string().max(2_000).optional(),
  })
  .meta({ id: 'WorkflowDecision' });
export type DecisionBody = z.infer<typeof decisionBody>;

export const toldJson = z
  .object({ run_id: z.string(), told: z.literal(true) })
  .meta({ id: 'WorkflowTold', description: 'The workflow is told within half a second.' });
