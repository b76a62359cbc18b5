/** The start of a step that is ready, by kind. What can be answered at once (a choice, a condition) settles at once. */
import type { Result } from '@spine/core';
import type { CompiledBody } from '../workflow/compile.ts';
import { askApproval } from './approval.ts';
import { childTimeoutMs, startChild } from './child.ts';
import { chooseRoute } from './choice.ts';
import type { Draft } from './draft.ts';
import { wrongParams } from './failure.ts';
import { startMap } from './map.ts';
import { needsSlot } from './queue.ts';
import { runScope } from './scope.ts';
import { settleStep } from './settle.ts';
import type { StepStatus } from './state.ts';
import { startWait } from './wait.ts';

export function startStep(draft: Draft, name: string): void {
  const compiled = draft.graph.compiled(name);
  if (compiled === undefined) return;
  const { tries } = draft.step(name);
  if (tries === 0 && compiled.when !== null) {
    const holds = compiled.when.holds(runScope(draft));
    if (holds.isErr()) return settleStep(draft, name, { status: 'failed', error: wrongParams(holds.error) });
    if (!holds.value)
      return settleStep(draft, name, { status: 'skipped', reason: 'its condition does not hold' });
  }
  begin(draft, name, statusOf(compiled.body));
  startBody(draft, name, compiled.body);
}

function startBody(draft: Draft, name: string, body: CompiledBody): void {
  switch (body.kind) {
    case 'call':
      return startCall(draft, name, body);
    case 'choice':
      return chooseRoute(draft, name, body);
    case 'wait':
      return startWait(draft, name, body);
    case 'map':
      return startMap(draft, name, body);
    case 'workflow':
      return startSubWorkflow(draft, name, body);
    case 'approval':
      return askApproval(draft, name, body);
  }
}

function statusOf(body: CompiledBody): StepStatus {
  if (body.kind === 'wait') return 'waiting';
  return body.kind === 'approval' ? 'awaiting_approval' : 'running';
}

function begin(draft: Draft, name: string, status: StepStatus): void {
  const step = draft.graph.step(name);
  const { attempt, tries } = draft.step(name);
  draft.patchStep(name, { status, attempt: attempt + 1, tries: tries + 1 });
  const slot = status === 'running' && step !== undefined && needsSlot(step) ? 1 : 0;
  draft.patchHead({ active: draft.head.active + 1, running: draft.head.running + slot });
}

function startCall(draft: Draft, name: string, body: Extract<CompiledBody, { kind: 'call' }>): void {
  const { attempt, params: replaced } = draft.step(name);
  const params = replaced === null ? body.params.fill(runScope(draft)) : null;
  if (params?.isErr()) return fail(draft, name, params);
  const { kind, handler, timeoutSeconds } = body.step;
  draft.emit({
    type: 'start_step',
    id: `start:${name}#${attempt}`,
    unit: name,
    step: name,
    attempt,
    call: { kind, handler },
    params: replaced ?? params?.unwrapOr({}) ?? {},
    timeoutSeconds: timeoutSeconds ?? null,
  });
  if (timeoutSeconds === undefined) return;
  draft.setTimer(name, attempt, 'timeout', timeoutSeconds * 1_000);
  draft.patchStep(name, { timer: 'timeout' });
}

function startSubWorkflow(
  draft: Draft,
  name: string,
  body: Extract<CompiledBody, { kind: 'workflow' }>,
): void {
  const { attempt, params: replaced } = draft.step(name);
  const filled = replaced === null ? body.params.fill(runScope(draft)) : null;
  if (filled?.isErr()) return fail(draft, name, filled);
  const wait = body.step.wait ?? true;
  const error = startChild(draft, {
    unit: name,
    attempt,
    workflow: body.step.workflow,
    params: replaced ?? filled?.unwrapOr({}) ?? {},
    wait,
    inheritContext: body.step.inheritContext ?? true,
  });
  if (error !== null) return settleStep(draft, name, { status: 'failed', error });
  if (!wait) return settleStep(draft, name, { status: 'completed', output: {} });
  draft.setTimer(name, attempt, 'timeout', childTimeoutMs(body.step.timeoutSeconds));
  draft.patchStep(name, { timer: 'timeout' });
}

function fail(draft: Draft, name: string, filled: Result<unknown, string>): void {
  if (filled.isErr()) settleStep(draft, name, { status: 'failed', error: wrongParams(filled.error) });
}
