/** Decisions of people. */
import { ErrorCategory } from '@spine/core';
import type { CompiledBody } from '../workflow/compile.ts';
import { STEP_DEFAULTS } from '../workflow/model.ts';
import type { ApprovalStep } from '../workflow/model.ts';
import type { Draft } from './draft.ts';
import type { WorkflowEvent } from './event.ts';
import { plannedError, wrongParams } from './failure.ts';
import { runScope } from './scope.ts';
import { settleStep } from './settle.ts';

/** Asks, unless nobody is asked in the run's environment. */
export function askApproval(
  draft: Draft,
  name: string,
  { step, fields }: Extract<CompiledBody, { kind: 'approval' }>,
): void {
  const { attempt } = draft.step(name);
  if (step.autoApprove?.includes(draft.head.environment)) {
    const output = { approved: true, by: null, comment: null, automatic: true };
    return settleStep(draft, name, { status: 'completed', output });
  }
  const shown = fields.fill(runScope(draft));
  if (shown.isErr()) return settleStep(draft, name, { status: 'failed', error: wrongParams(shown.error) });
  const timeoutMs = (step.timeoutSeconds ?? STEP_DEFAULTS.approvalTimeoutSeconds) * 1_000;
  const expiresAt = new Date(draft.now.getTime() + timeoutMs);
  draft.emit({
    type: 'ask_approval',
    id: `approve:${name}#${attempt}`,
    unit: name,
    step: name,
    attempt,
    approvers: step.approvers,
    message: step.message ?? '',
    fields: shown.value,
    expiresAt,
  });
  draft.setTimerAt(name, attempt, 'approval', expiresAt);
  draft.patchStep(name, { timer: 'approval' });
}

/** Whether somebody's decision counts for a step. */
export function mayDecide(step: ApprovalStep, by: string): boolean {
  return step.approvers.length === 0 || step.approvers.includes(by);
}

export function decideApproval(
  draft: Draft,
  event: Extract<WorkflowEvent, { type: 'approval_decided' }>,
): void {
  const step = draft.graph.step(event.step);
  if (step?.kind !== 'approval' || draft.step(event.step).status !== 'awaiting_approval') {
    draft.ignored = `step ${event.step} waits for no decision`;
    return;
  }
  if (!mayDecide(step, event.by)) {
    draft.ignored = `${event.by} is not an approver of step ${event.step}`;
    return;
  }
  if (event.approved) {
    const output = { approved: true, by: event.by, comment: event.comment ?? null, automatic: false };
    return settleStep(draft, event.step, { status: 'completed', output });
  }
  const why = event.comment === undefined ? '' : `: ${event.comment}`;
  const message = `step ${event.step}: rejected by ${event.by}${why}`;
  settleStep(draft, event.step, {
    status: 'failed',
    error: plannedError('ApprovalRejected', message, ErrorCategory.OPERATION),
  });
}

export function approvalExpired(draft: Draft, name: string): void {
  withdrawApproval(draft, name);
  const message = `step ${name}: nobody decided in time`;
  settleStep(draft, name, {
    status: 'failed',
    error: plannedError('ApprovalTimeoutError', message, ErrorCategory.TIMEOUT),
  });
}

export function withdrawApproval(draft: Draft, name: string): void {
  const { attempt } = draft.step(name);
  draft.emit({
    type: 'withdraw_approval',
    id: `withdraw:${name}#${attempt}`,
    unit: name,
    step: name,
    attempt,
  });
}
