/** Queries and answers of the endpoints that show where a workflow run is. */
import { z } from 'zod';
import { RUN_STATUSES } from '@spine/core';
import type { ApprovalRecord, OpenTimer } from '@spine/database';
import { INSPECT_LIMITS, RUN_PICTURES } from '@spine/orchestration';
import type { WorkflowView } from '@spine/orchestration';
import { LIMIT } from '../http/paging.ts';
import { once, wholeNumber } from '../http/query-values.ts';
import {
  errorJson,
  instant,
  iso,
  object,
  omitted,
  toErrorJson,
  toStepViewJson,
  workflowStepViewJson,
} from './inspect-steps.schemas.ts';

export const workflowViewQuery = z.strictObject({
  limit: wholeNumber(1, LIMIT.max).default(200).describe('Steps of one page. Default 200.'),
  cursor: once(z.string().min(1).max(300))
    .optional()
    .describe('`steps_page.next_cursor` of the page before.'),
  format: once(z.enum(RUN_PICTURES))
    .optional()
    .describe('Also a picture, coloured by the steps’ states; GET …/picture answers it alone.'),
});
export type WorkflowViewQuery = z.infer<typeof workflowViewQuery>;

const approvalJson = z.object({
  step: z.string(),
  approvers: z.array(z.string()).describe('Empty: anybody.'),
  message: z.string(),
  fields: z.unknown(),
  asked_at: instant,
  expires_at: instant,
});

function toApprovalJson(asked: ApprovalRecord): z.infer<typeof approvalJson> {
  const { step, approvers, message, fields, askedAt, expiresAt } = asked;
  return {
    step,
    approvers: [...approvers],
    message,
    fields,
    asked_at: askedAt.toISOString(),
    expires_at: expiresAt.toISOString(),
  };
}

const timerJson = z.object({
  timer: z.string().describe('e.g. `load#2:retry`.'),
  due_at: instant.nullable().describe('Null while the run is paused.'),
});

const toTimerJson = ({ timer, dueAt }: OpenTimer): z.infer<typeof timerJson> => ({
  timer,
  due_at: iso(dueAt),
});

export const workflowViewJson = z
  .object({
    run_id: z.string(),
    run_status: z.enum(RUN_STATUSES),
    workflow: z.string(),
    version: z.int(),
    hash: z.string(),
    engine: z
      .enum(['active', 'suspended', 'ended'])
      .describe('suspended: the run is paused, or waits for a worker to go on.'),
    phase: z.enum(['new', 'running', 'stopping', 'undoing', 'handling', 'ended']),
    outcome: z
      .object({ status: z.string(), step: z.string().nullable(), error: errorJson.nullable() })
      .nullable(),
    environment: z.string(),
    ancestors: z.array(z.string()).describe('Workflows that have led to it, outermost first.'),
    events: z.int().describe('Events in its history; GET …/history lists them.'),
    progress: z.object({
      total: z.int().describe('Steps, with those the run has added.'),
      settled: z.int(),
      by_status: z.record(z.string(), z.int()),
    }),
    undo_failures: z.int(),
    steps: z.array(workflowStepViewJson),
    steps_page: z.object({ has_more: z.boolean(), next_cursor: z.string().nullable() }),
    open_approvals: z.array(approvalJson).describe(`At most ${INSPECT_LIMITS.open}.`),
    timers: z
      .array(timerJson)
      .describe(`Those that are set, the next one first; at most ${INSPECT_LIMITS.open}.`),
    signals: z.array(z.object({ name: z.string(), data: object.nullable(), omitted })),
    forked_from: z.string().nullable(),
    picture: z.string().nullable().describe('In the language that was asked for with `format`.'),
  })
  .meta({ id: 'WorkflowRunView', description: 'Where a workflow run is, at one moment.' });
export type WorkflowViewJson = z.infer<typeof workflowViewJson>;

export function toWorkflowViewJson(view: WorkflowView, nextCursor: string | null): WorkflowViewJson {
  const { run, outcome, progress, phase } = view;
  return {
    run_id: run.runId,
    run_status: run.status,
    workflow: view.name,
    version: view.version,
    hash: view.hash,
    engine: view.engine,
    phase,
    outcome:
      outcome === null
        ? null
        : { status: outcome.status, step: outcome.step, error: toErrorJson(outcome.error) },
    environment: view.environment,
    ancestors: [...view.ancestors],
    events: view.events,
    progress: { total: progress.total, settled: progress.settled, by_status: { ...progress.byStatus } },
    undo_failures: view.undoFailures,
    steps: view.steps.map(toStepViewJson),
    steps_page: { has_more: nextCursor !== null, next_cursor: nextCursor },
    open_approvals: view.approvals.map(toApprovalJson),
    timers: view.timers.map(toTimerJson),
    signals: view.signals.map(({ name, data, omitted: left }) => ({ name, data, omitted: left })),
    forked_from: view.forkedFrom,
    picture: view.picture,
  };
}
