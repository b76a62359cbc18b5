/** What people tell a workflow run that is under way. The commit wakes the drivers of all processes. */
import { decideApproval, getRun, tellWorkflow } from '@spine/database';
import type { ApprovalDecision, Db, DecideOutcome } from '@spine/database';
import type { Dispatcher } from '@spine/execution';
import type { JsonObject, RunStatus } from '@spine/core';
import type { WorkflowEvent } from '../engine/event.ts';

/** @returns false where no workflow run of that id goes on. */
export function signalWorkflow(db: Db, runId: string, name: string, data: JsonObject): Promise<boolean> {
  const event: WorkflowEvent = { type: 'signal', name, data };
  return tellWorkflow(db, runId, event);
}

/**
 * Cancels a run and has it undone: compensations run, which `Dispatcher.cancel` does not wait for.
 * @returns false where no workflow run of that id goes on.
 */
export function cancelWorkflow(
  db: Db,
  runId: string,
  by: string,
  reason: string | null = null,
): Promise<boolean> {
  const event: WorkflowEvent = { type: 'cancel', by, ...(reason === null ? {} : { reason }) };
  return tellWorkflow(db, runId, event);
}

/**
 * The same for a run that may be paused: it goes on, to be undone. A second time ends the undoing where it is.
 * @returns the status it had; null where no workflow run of that id goes on.
 */
export async function undoWorkflow(
  { db, dispatcher }: { readonly db: Db; readonly dispatcher: Dispatcher },
  runId: string,
  by: string,
  reason: string | null = null,
): Promise<RunStatus | null> {
  const run = await getRun(db, runId);
  if (run === null || run.completedAt !== null) return null;
  if (!(await cancelWorkflow(db, runId, by, reason))) return null;
  if (run.status === 'paused') await dispatcher.resume(runId, by);
  return run.status;
}

/** Answers the open question of a step. */
export function decideWorkflowApproval(
  db: Db,
  runId: string,
  step: string,
  decision: ApprovalDecision,
): Promise<DecideOutcome> {
  const { approved, by, via, comment } = decision;
  const event: WorkflowEvent = {
    type: 'approval_decided',
    step,
    approved,
    by,
    ...(via === undefined ? {} : { via }),
    ...(comment === null ? {} : { comment }),
  };
  return decideApproval(db, runId, step, decision, event);
}
