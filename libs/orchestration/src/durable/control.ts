/** What people tell a workflow run that is under way. It hears of it when its driver looks next, within half a second. */
import { decideApproval, tellWorkflow } from '@spine/database';
import type { ApprovalDecision, Db, DecideOutcome } from '@spine/database';
import type { JsonObject } from '@spine/core';
import type { WorkflowEvent } from '../engine/event.ts';

/** @returns false where no workflow run of that id goes on. */
export function signalWorkflow(db: Db, runId: string, name: string, data: JsonObject): Promise<boolean> {
  const event: WorkflowEvent = { type: 'signal', name, data };
  return tellWorkflow(db, runId, event);
}

/**
 * Cancels a run and has it undone: compensations and the failure handler run, which `Dispatcher.cancel` does not wait for.
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

/** Answers the open question of a step. */
export function decideWorkflowApproval(
  db: Db,
  runId: string,
  step: string,
  decision: ApprovalDecision,
): Promise<DecideOutcome> {
  const { approved, by, comment } = decision;
  const event: WorkflowEvent = {
    type: 'approval_decided',
    step,
    approved,
    by,
    ...(comment === null ? {} : { comment }),
  };
  return decideApproval(db, runId, step, decision, event);
}
